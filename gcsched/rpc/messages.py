"""Jobs as callers see them, and the states and views that callers name."""

from gcsched.domain.attempt import Attempt
from gcsched.domain.etag import etag_of
from gcsched.domain.job import Job
from gcsched.pb import task_pb2

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
        created=job.created,
        due_at=job.due_at,
        due=job.due,
        not_after=job.not_after,
        since=job.since,
        reason=job.reason,
        attempt=job.attempt,
        takebacks=job.takebacks,
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
        begun=attempt.begun,
        ended=attempt.ended,
        kind=attempt.kind.value,
        relay=attempt.relay,
        code=attempt.code or 0,
        enhanced=attempt.enhanced or "",
        text=attempt.text,
    )
