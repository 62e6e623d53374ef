"""Answers about invitations, from the domain to protobuf."""

from gcsched.domain.job import State
from gcsched.domain.mail import Draft
from gcsched.domain.suppression import Suppression
from gcsched.errors import GcschedError
from gcsched.pb import task_pb2
from gcsched.rpc.status import status_of
from gcsched.usecases.admission.preview import Rehearsal
from gcsched.usecases.admission.submit import Accepted
from gcsched.usecases.ports import Admitted, TooSoon

Response = task_pb2.MeetResponse
Answer = task_pb2.BatchScheduleMeetsResponse.Answer


def meet_response(answer: Accepted) -> task_pb2.MeetResponse:
    match answer:
        case TooSoon():
            return Response(outcome=Response.REFUSED_DUPLICATE)
        case Admitted():
            return Response(
                success=True,
                job_id=answer.job_id,
                outcome=outcome_of(answer),
                due=answer.due,
                state=answer.state and answer.state.value,
            )


def outcome_of(admitted: Admitted) -> task_pb2.MeetResponse.Outcome:
    if not admitted.is_new:
        return Response.REPLAYED
    return Response.QUEUED_FOR_DAILY if admitted.state is State.QUEUED else Response.CREATED


def batch_answer(answer: task_pb2.MeetResponse | GcschedError) -> Answer:
    if isinstance(answer, GcschedError):
        return Answer(error=status_of(answer))
    return Answer(response=answer)


def rehearsed(rehearsal: Rehearsal) -> task_pb2.MeetResponse:
    """Say what would become of a request, and show its mail."""
    admission, job = rehearsal.admission, rehearsal.job
    shown = preview(rehearsal.draft)
    if isinstance(admission, TooSoon) or not admission.is_new:
        shown.duplicate_of = admission.job_id
    if rehearsal.suppression is not None:
        shown.suppression.CopyFrom(suppression_message(rehearsal.suppression))
    if isinstance(admission, TooSoon):
        return Response(outcome=Response.REFUSED_DUPLICATE, preview=shown)
    due, state = (job.due, job.state) if admission.is_new else (admission.due, admission.state)
    return Response(success=True, due=due, state=state and state.value, preview=shown)


def preview(draft: Draft) -> task_pb2.Preview:
    return task_pb2.Preview(
        subject=draft.subject, text=draft.text, html=draft.html, size_bytes=draft.size
    )


def suppression_message(of: Suppression) -> task_pb2.Suppression:
    return task_pb2.Suppression(
        email=of.address,
        reason=of.reason,
        job_id=of.job_id,
        since=of.since,
        until=of.until,
    )
