"""Answers about invitations, from the domain to protobuf."""

from gcsched.domain.dedup import AdmissionResult
from gcsched.domain.mail import Draft
from gcsched.domain.suppression import Suppression
from gcsched.errors import GcschedError
from gcsched.pb import task_pb2
from gcsched.rpc.status import status_of
from gcsched.usecases.admission.preview import Rehearsal

Response = task_pb2.MeetResponse
Answer = task_pb2.BatchScheduleMeetsResponse.Answer


def meet_response(result: AdmissionResult) -> task_pb2.MeetResponse:
    if not result.is_accepted:
        return Response(outcome=result.outcome.value)
    return Response(
        success=True,
        job_id=result.job_id,
        outcome=result.outcome.value,
        due=result.due,
        state=result.state and result.state.value,
    )


def batch_answer(answer: task_pb2.MeetResponse | GcschedError) -> Answer:
    if isinstance(answer, GcschedError):
        return Answer(error=status_of(answer))
    return Answer(response=answer)


def rehearsed(rehearsal: Rehearsal) -> task_pb2.MeetResponse:
    """Say what would become of a request, and show its mail."""
    result = rehearsal.result
    shown = preview(rehearsal.draft)
    if not result.is_new:
        shown.duplicate_of = result.job_id
    if rehearsal.suppression is not None:
        shown.suppression.CopyFrom(suppression_message(rehearsal.suppression))
    if not result.is_accepted:
        return Response(outcome=result.outcome.value, preview=shown)
    return Response(
        success=True,
        due=result.due,
        state=result.state and result.state.value,
        preview=shown,
    )


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
