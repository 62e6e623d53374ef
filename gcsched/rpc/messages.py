"""Convert jobs, results, previews and suppressions to messages of the contract."""

from datetime import datetime
from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from gcsched.domain.attempt import Attempt
from gcsched.domain.dedup import AdmissionResult
from gcsched.domain.ids import EPOCH, etag_of
from gcsched.domain.job import Job
from gcsched.domain.mail import MailPreview
from gcsched.domain.step import Step
from gcsched.domain.suppression import Suppression
from gcsched.errors import GcschedError
from gcsched.pb import task_pb2
from gcsched.rpc.status import status_of

if TYPE_CHECKING:
    # The fake of gcsched.testing needs no use case: that would triple its first start.
    from gcsched.usecases.admission.preview import DryRunResult

View = task_pb2.Job.View
SECONDS_A_DAY = 86_400


def job_message(job: Job, view: View) -> task_pb2.Job:
    """Convert *job*; its texts and attempts only in full view."""
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
        client=job.client,
        sender=job.sender,
    )
    if job.meeting is not None:
        message.MergeFrom(
            task_pb2.Job(
                meeting_id=job.meeting.meeting_id,
                purpose=job.meeting.purpose.value,
                sequence=job.meeting.revision.sequence,
            )
        )
    if view == task_pb2.Job.FULL:
        message.message = job.message
        message.variables.update(job.variables)
        message.attempts.extend(attempt_message(each) for each in job.attempts)
        message.steps.extend(step_message(each) for each in job.steps)
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


def step_message(step: Step) -> task_pb2.Step:
    return task_pb2.Step(
        time=step.time,
        client=step.client,
        via=step.via,
        method=step.method,
        previous_state=step.previous_state,
        state=step.state,
        reason=step.reason,
    )


Response = task_pb2.MeetResponse
Answer = task_pb2.BatchScheduleMeetsResponse.Answer


def meet_response(result: AdmissionResult) -> task_pb2.MeetResponse:
    if not result.is_accepted:
        return Response(outcome=result.outcome)
    return Response(
        success=True,
        job_id=result.job_id,
        outcome=result.outcome,
        due_time=result.due_time and timestamp(result.due_time),
        state=result.state,
        meeting_id=result.meeting_id,
        time_note=result.time_note,
    )


def timestamp(moment: datetime) -> Timestamp:
    """Convert *moment*; protobuf itself takes four times as long."""
    since = moment - EPOCH
    return Timestamp(
        seconds=since.days * SECONDS_A_DAY + since.seconds, nanos=since.microseconds * 1_000
    )


def batch_answer(answer: task_pb2.MeetResponse | GcschedError) -> Answer:
    if isinstance(answer, GcschedError):
        return Answer(error=status_of(answer))
    return Answer(response=answer)


def dry_run_response(dry_run: "DryRunResult") -> task_pb2.MeetResponse:
    """Convert the result that a request would have, with a preview of its mail."""
    result = dry_run.result
    preview = preview_message(dry_run.draft)
    # The result of a repeated request names the job that exists.
    if not result.is_new:
        preview.duplicate_of = result.job_id
    if dry_run.suppression is not None:
        preview.suppression.CopyFrom(suppression_message(dry_run.suppression))
    if not result.is_accepted:
        return Response(outcome=result.outcome.value, preview=preview)
    return Response(
        success=True,
        due_time=result.due_time,
        state=result.state and result.state.value,
        preview=preview,
        time_note=result.time_note,
    )


def preview_message(draft: MailPreview) -> task_pb2.Preview:
    return task_pb2.Preview(
        subject=draft.subject,
        text=draft.text,
        html=draft.html,
        size_bytes=draft.size,
        sender=draft.sender,
        calendar=draft.calendar,
    )


def suppression_message(suppression: Suppression) -> task_pb2.Suppression:
    return task_pb2.Suppression(
        email=suppression.address,
        reason=suppression.reason,
        job_id=suppression.job_id,
        create_time=suppression.create_time,
        expire_time=suppression.expire_time,
    )
