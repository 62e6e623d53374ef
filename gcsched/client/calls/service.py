"""The calls about the whole service: its daily queue, its pause, its status, its audit. Pure."""

from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import TypedDict, Unpack

from gcsched.client.argument_values import check_count, check_text, timestamp
from gcsched.client.calls.call import Call, Listing
from gcsched.client.results.reading import read_message
from gcsched.client.results.records import AuditEntry
from gcsched.client.results.status import Pause, StatusReport
from gcsched.client.suggestions import refuse_unknown
from gcsched.pb import task_pb2


class AuditFilter(TypedDict, total=False):
    """Which entries of the audit; what is not given does not restrict the list."""

    client: str
    subject: str
    from_time: datetime | int
    before_time: datetime | int


def run_daily_queue() -> Call[int]:
    return Call("RunDailyQueue", task_pb2.RunDailyQueueRequest(), attrgetter("count"))


def pause(*, by: str, reason: str) -> Call[Pause]:
    request = task_pb2.PauseSendingRequest(
        by=check_text("by", by), reason=check_text("reason", reason)
    )
    return Call("PauseSending", request, partial(read_message, Pause))


def resume(*, by: str) -> Call[Pause | None]:
    request = task_pb2.ResumeSendingRequest(by=check_text("by", by))
    return Call("ResumeSending", request, read_ended_pause)


def read_ended_pause(reply: task_pb2.ResumeSendingResponse) -> Pause | None:
    return read_message(Pause, reply.pause) if reply.HasField("pause") else None


def status() -> Call[StatusReport]:
    return Call("GetStatus", task_pb2.GetStatusRequest(), partial(read_message, StatusReport))


def list_audit(*, page_size: int, **which: Unpack[AuditFilter]) -> Listing[AuditEntry]:
    keywords = {"page_size", "timeout", *AuditFilter.__optional_keys__}
    refuse_unknown(which, keywords, caller="list_audit")
    request = task_pb2.ListAuditRequest(
        page_size=check_count("page_size", page_size),
        client=check_text("client", which.get("client")),
        subject=check_text("subject", which.get("subject")),
        from_time=timestamp("from_time", which.get("from_time")),
        before_time=timestamp("before_time", which.get("before_time")),
    )
    return Listing("ListAudit", request, "entries", partial(read_message, AuditEntry))
