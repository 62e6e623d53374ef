"""Answers as messages of the contract: jobs, results, previews, suppressions; states, views."""

from gcsched.domain.attempt import Attempt
from gcsched.domain.dedup import AdmissionResult
from gcsched.domain.ids import etag_of
from gcsched.domain.job import Job
from gcsched.domain.mail import MailPreview
from gcsched.domain.suppression import Suppression
from gcsched.errors import GcschedError
from gcsched.pb import task_pb2
from gcsched.rpc.status import status_of
from gcsched.usecases.admission.preview import DryRunResult

View = task_pb2.Job.View


def job_message(job: Job, view: View) -> task_pb2.Job:
    """Give *job*; its texts and attempts only in full view."""
    message = task_pb2.Job(
        job_id=job.id,
        state=job.state.value,
        etag=etag_of(job),
        empid=job.empid,
        email=job.email,
        name=job.name,
        template=job.template,
        labels=job.labels,
        priority=job.priority.value,
        reply_to=job.reply_to,
        create_time=job.create_time,
        schedule_time=job.schedule_time,
        due_time=job.due_time,
        expire_time=job.expire_time,
        state_time=job.state_time,
        reason=job.reason,
        attempt=job.attempt,
        lease_expirations=job.lease_expirations,
        message_id=job.message_id,
        request_id=job.request_id,
    )
    if view == task_pb2.Job.FULL:
        message.message = job.message
        message.variables.update(job.variables)
        message.attempts.extend(attempt_message(each) for each in job.attempts)
    return message


def attempt_message(attempt: Attempt) -> task_pb2.Attempt:
    return task_pb2.Attempt(
        start_time=attempt.start_time,
        end_time=attempt.end_time,
        kind=attempt.kind.value,
        relay=attempt.relay,
        code=attempt.code or 0,
        enhanced_code=attempt.enhanced_code or "",
        text=attempt.text,
    )


Response = task_pb2.MeetResponse
Answer = task_pb2.BatchScheduleMeetsResponse.Answer


def meet_response(result: AdmissionResult) -> task_pb2.MeetResponse:
    if not result.is_accepted:
        return Response(outcome=result.outcome.value)
    return Response(
        success=True,
        job_id=result.job_id,
        outcome=result.outcome.value,
        due_time=result.due_time,
        state=result.state and result.state.value,
    )


def batch_answer(answer: task_pb2.MeetResponse | GcschedError) -> Answer:
    if isinstance(answer, GcschedError):
        return Answer(error=status_of(answer))
    return Answer(response=answer)


def dry_run_response(rehearsal: DryRunResult) -> task_pb2.MeetResponse:
    """Say what would become of a request, and show its mail."""
    result = rehearsal.result
    shown = preview_message(rehearsal.draft)
    if not result.is_new:
        shown.duplicate_of = result.job_id
    if rehearsal.suppression is not None:
        shown.suppression.CopyFrom(suppression_message(rehearsal.suppression))
    if not result.is_accepted:
        return Response(outcome=result.outcome.value, preview=shown)
    return Response(
        success=True,
        due_time=result.due_time,
        state=result.state and result.state.value,
        preview=shown,
    )


def preview_message(draft: MailPreview) -> task_pb2.Preview:
    return task_pb2.Preview(
        subject=draft.subject, text=draft.text, html=draft.html, size_bytes=draft.size
    )


def suppression_message(of: Suppression) -> task_pb2.Suppression:
    return task_pb2.Suppression(
        email=of.address,
        reason=of.reason,
        job_id=of.job_id,
        create_time=of.create_time,
        expire_time=of.expire_time,
    )
