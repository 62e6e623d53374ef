"""The calls that read and change jobs. Pure."""

from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import Any, TypedDict, Unpack

from gcsched.client.argument_values import (
    ScheduleTime,
    check_bool,
    check_count,
    check_text,
    enum_number,
    timestamp,
    unix_seconds_or_daily,
)
from gcsched.client.calls.call import Call, Listing
from gcsched.client.results.jobs import Job, JobCount
from gcsched.client.results.reading import read_message
from gcsched.client.suggestions import refuse_unknown
from gcsched.pb import task_pb2

STATES: Any = task_pb2.Job.State.DESCRIPTOR
read_job = partial(read_message, Job)


class JobFilter(TypedDict, total=False):
    """Which jobs; a job matches if it matches all that is given. Without any: all jobs.

    Possible are a state, with or without due times; an employee; an address; a request id; the
    first characters of an id (only in lists and counts); a meeting; each with or without a client.
    """

    state: str
    due_time_from: datetime | int
    due_time_before: datetime | int
    empid: str
    email: str
    request_id: str
    id_prefix: str
    meeting_id: str
    client: str


class BulkFilter(JobFilter, total=False):
    """Which jobs to change; `all=True` is required where it is every job."""

    all: bool


BULK_KEYWORDS = {"validate_only", "timeout", *BulkFilter.__optional_keys__}


def get_job(job_id: str) -> Call[Job]:
    return Call("GetJob", task_pb2.GetJobRequest(job_id=check_text("job_id", job_id)), read_job)


def list_jobs(*, order: str, view: str, page_size: int, **which: Unpack[JobFilter]) -> Listing[Job]:
    keywords = {"order", "view", "page_size", "timeout", *JobFilter.__optional_keys__}
    refuse_unknown(which, keywords, caller="list_jobs")
    request = task_pb2.ListJobsRequest(
        filter=build_filter(which),
        order=enum_number("order", order, task_pb2.ListJobsRequest.Order.DESCRIPTOR),
        view=enum_number("view", view, task_pb2.Job.View.DESCRIPTOR),
        page_size=check_count("page_size", page_size),
    )
    return Listing("ListJobs", request, "jobs", read_job)


def count_jobs(**which: Unpack[JobFilter]) -> Call[JobCount]:
    refuse_unknown(which, {"timeout", *JobFilter.__optional_keys__}, caller="count_jobs")
    request = task_pb2.CountJobsRequest(filter=build_filter(which))
    return Call("CountJobs", request, partial(read_message, JobCount))


def cancel(job_id: str, *, etag: str, reason: str) -> Call[Job]:
    request = task_pb2.CancelJobRequest(
        job_id=check_text("job_id", job_id),
        etag=check_text("etag", etag),
        reason=check_text("reason", reason),
    )
    return Call("CancelJob", request, read_job)


def reschedule(job_id: str, *, at: ScheduleTime, etag: str) -> Call[Job]:
    request = task_pb2.RescheduleJobRequest(
        job_id=check_text("job_id", job_id),
        etag=check_text("etag", etag),
        timestamp=unix_seconds_or_daily("at", at),
    )
    return Call("RescheduleJob", request, read_job)


def retry(job_id: str, *, etag: str) -> Call[Job]:
    request = task_pb2.RetryJobRequest(
        job_id=check_text("job_id", job_id), etag=check_text("etag", etag)
    )
    return Call("RetryJob", request, read_job)


def resolve(job_id: str, *, state: str, reason: str, etag: str) -> Call[Job]:
    request = task_pb2.ResolveJobRequest(
        job_id=check_text("job_id", job_id),
        etag=check_text("etag", etag),
        state=enum_number("state", state, STATES),
        reason=check_text("reason", reason),
    )
    return Call("ResolveJob", request, read_job)


def cancel_jobs(*, reason: str, validate_only: bool, **which: Unpack[BulkFilter]) -> Call[int]:
    refuse_unknown(which, {"reason", *BULK_KEYWORDS}, caller="cancel_jobs")
    request = build_change(which, validate_only=validate_only)
    request.reason = check_text("reason", reason)
    return Call("CancelJobs", request, attrgetter("count"))


def retry_jobs(*, validate_only: bool, **which: Unpack[BulkFilter]) -> Call[int]:
    refuse_unknown(which, BULK_KEYWORDS, caller="retry_jobs")
    request = build_change(which, validate_only=validate_only)
    return Call("RetryJobs", request, attrgetter("count"))


def build_change(which: BulkFilter, *, validate_only: bool) -> task_pb2.ChangeJobsRequest:
    return task_pb2.ChangeJobsRequest(
        filter=build_filter(which),
        all=check_bool("all", which.get("all")),
        validate_only=check_bool("validate_only", validate_only),
    )


def build_filter(which: JobFilter) -> task_pb2.JobFilter:
    return task_pb2.JobFilter(
        state=enum_number("state", which.get("state"), STATES),
        due_time_from=timestamp("due_time_from", which.get("due_time_from")),
        due_time_before=timestamp("due_time_before", which.get("due_time_before")),
        empid=check_text("empid", which.get("empid")),
        email=check_text("email", which.get("email")),
        request_id=check_text("request_id", which.get("request_id")),
        id_prefix=check_text("id_prefix", which.get("id_prefix")),
        meeting_id=check_text("meeting_id", which.get("meeting_id")),
        client=check_text("client", which.get("client")),
    )
