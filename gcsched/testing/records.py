"""What a fake has recorded: the requests to schedule, and all calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from gcsched.client.event import Event, Person
from gcsched.domain.event import Event as GivenEvent
from gcsched.domain.job import Job, Priority
from gcsched.domain.request import DEFAULT_TEMPLATE, MeetRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledRequest:
    """An accepted request to schedule, in the words of the client.

    Texts are as the service would store them: trimmed, with addresses normalised. *at* is None for
    the daily queue, *not_after* if it was not set. *event* has texts as start and end, and the
    organizer if the request named one. *job_id* and *meeting_id* are the ids in the answer; they do
    not count when two requests are compared.
    """

    empid: str
    email: str
    message: str
    name: str = ""
    at: datetime | None = None
    request_id: str = ""
    template: str = DEFAULT_TEMPLATE
    variables: Mapping[str, str] = field(default_factory=dict)
    not_after: datetime | None = None
    reply_to: str = ""
    sender: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    urgent: bool = False
    event: Event | None = None
    job_id: str = field(default="", compare=False)
    meeting_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """A call: its method, its request as a message of `gcsched.pb`, and its metadata.

    *failure* is the reason or the code of the error that was answered, "" for an answer without
    error.
    """

    method: str
    request: Any
    failure: str = ""
    metadata: Mapping[str, str | bytes] = field(
        default_factory=dict, repr=False
    )  # may hold a token


class Records:
    """The calls and the accepted requests; any thread may add and read them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls: list[RecordedCall] = []
        self._scheduled: list[ScheduledRequest] = []

    def add(self, call: RecordedCall, scheduled: Sequence[ScheduledRequest]) -> None:
        with self._lock:
            self._calls.append(call)
            self._scheduled.extend(scheduled)

    def list_calls(self) -> list[RecordedCall]:
        with self._lock:
            return [*self._calls]

    def list_scheduled(self) -> list[ScheduledRequest]:
        with self._lock:
            return [*self._scheduled]

    def clear(self) -> None:
        with self._lock:
            self._calls.clear()
            self._scheduled.clear()


def record_request(raw: MeetRequest, job: Job) -> ScheduledRequest:
    """Return the record of the request *raw*, which made *job*."""
    return ScheduledRequest(
        empid=job.empid,
        email=job.email,
        message=job.message,
        name=job.name,
        at=from_seconds(raw.timestamp),
        request_id=job.request_id,
        template=job.template,
        variables=dict(job.variables),
        not_after=from_seconds(raw.not_after),
        reply_to=job.reply_to,
        sender=job.sender,
        labels=dict(job.labels),
        urgent=job.priority is Priority.URGENT,
        event=None if raw.event is None else record_event(raw.event),
        job_id=job.id,
        meeting_id="" if job.meeting is None else job.meeting.meeting_id,
    )


def record_event(event: GivenEvent) -> Event:
    """Return *event* in the words of the client."""
    organizer = event.organizer
    return Event(
        start=event.start,
        time_zone=event.time_zone,
        end=event.end or None,
        duration=event.duration,
        location=event.location,
        url=event.url,
        description=event.description,
        organizer=(
            None if organizer is None else Person(email=organizer.email, name=organizer.name)
        ),
        strict_time=event.strict_time,
    )


def from_seconds(seconds: int) -> datetime | None:
    """Return the time of a request, None for 0, which means the daily queue or not set."""
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
