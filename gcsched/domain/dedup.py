"""Deduplication: the keys of equal requests, and the answer to a repeated request. Pure."""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from msgspec import Struct

from gcsched.domain.event import Event
from gcsched.domain.job import Job, State
from gcsched.domain.meeting import Person
from gcsched.domain.request import MeetRequest
from gcsched.errors import GcschedError, RequestIdReused


class Dedup(StrEnum):
    """The rule by which two requests without a request id are the same one."""

    CONTENT = "content"
    EMPLOYEE = "employee"


def dedup_key(request: MeetRequest, *, daily: date | None) -> str:
    """Derive the key from employee, address, text, and the requested second or daily run.

    A sender that the request names is part of it too, unless that is the default one. With an event
    all daily runs are one: the meeting is the same, whichever run brings its mail.

    Never change what goes in here: with another key a repeated call becomes a second mail.
    """
    sender = (request.sender,) if request.sender else ()
    content = request.empid, request.email, request.message
    second = str(request.timestamp)
    if request.event is not None:
        when = second if daily is None else "daily"
        return digest(b"event v1", *content, when, *sender, *event_texts(request.event))
    when = second if daily is None else f"daily:{daily.isoformat()}"
    return digest(b"v1", *content, when, *sender)


def event_texts(event: Event) -> tuple[str, ...]:
    """Return all that a caller says about a meeting, as it says it.

    Not the instants: with newer rules of a zone a repeated call would be another one.
    """
    length = "" if event.duration is None else str(event.duration.total_seconds())
    organizer = event.organizer or Person(email="")
    return (
        *(event.start, event.end, length, event.time_zone),
        *(event.location, event.url, event.description),
        *(organizer.email, organizer.name),
    )


def request_key(request_id: str) -> str:
    return digest(b"request v1", request_id)


def employee_key(empid: str) -> str:
    return digest(b"employee v1", empid)


CLIENT_MARK = "~"
"""The first character of the keys of named clients. It sorts after that of every other key."""


def client_key(client: str, key: str) -> str:
    """Return the key that the named *client* has where a caller without a name has *key*."""
    return f"{CLIENT_MARK}{client}:{key}"


def find_anonymous_key(key: str | None) -> str:
    """Return what *key* would be for a caller without a name; "" if it is not a client's key."""
    if key is None or not key.startswith(CLIENT_MARK):
        return ""
    return key.partition(":")[2]


def fingerprint(request: MeetRequest) -> str:
    """Derive a digest of all that a request asks for: equal in two requests of one id."""
    sender = (request.sender,) if request.sender else ()
    content = (
        *(request.empid, request.email, request.message, request.name, request.timestamp),
        *(request.template, sorted(request.variables.items()), request.not_after),
        *(request.reply_to, sorted(request.labels.items()), request.priority),
        *sender,
    )
    if request.event is None:
        return digest(b"content v1", json.dumps(content))
    if request.is_sample:  # whose day follows the clock: no caller asked for it
        return digest(b"sample event content v1", json.dumps(content))
    return digest(b"event content v1", json.dumps(content), *event_texts(request.event))


def digest(version: bytes, *parts: str) -> str:
    result = sha256(version)
    for part in parts:
        data = part.encode()
        # Each length goes in as well, so that ("ab", "c") and ("a", "bc") differ.
        result.update(len(data).to_bytes(4, "big") + data)
    return result.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class DedupRule:
    """The rule for dedup keys; in *employee* mode an employee gets no second mail for *window*.

    The keys of named clients differ, except in *employee* mode. Those of callers without a name
    never change: with another key a repeated call becomes a second mail.
    """

    by: Dedup = Dedup.CONTENT
    window: timedelta = timedelta(hours=24)

    def key(self, request: MeetRequest, *, daily: date | None, client: str = "") -> str:
        """Return the key of *request*; *client* is the name of its caller, "" if it has none."""
        if self.by is Dedup.EMPLOYEE:
            return employee_key(request.empid)
        key = (
            request_key(request.request_id)
            if request.request_id
            else dedup_key(request, daily=daily)
        )
        return client_key(client, key) if client else key

    def dedup_until(self, now: datetime) -> datetime | None:
        """Return when another job may take the key; None: not while this one holds it."""
        return now + self.window if self.by is Dedup.EMPLOYEE else None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder:
    """The job that holds the dedup key or the request id that another one needs.

    *state* and *due_time* are None if the stored document is damaged: even then it holds its key,
    so that no second mail leaves. *client* is the one that scheduled it, "" if it has no name.
    *meeting_id* is the meeting that its mail invites to, "" for none.
    """

    job_id: str
    state: State | None
    due_time: datetime | None
    client: str = ""
    request_id: str = ""
    fingerprint: str = ""
    dedup_until: datetime | None = None
    meeting_id: str = ""


class AdmissionOutcome(StrEnum):
    """The result of an accepted or refused call, by the names of MeetResponse.Outcome."""

    CREATED = "CREATED"
    REPLAYED = "REPLAYED"
    QUEUED_FOR_DAILY = "QUEUED_FOR_DAILY"
    REFUSED_DUPLICATE = "REFUSED_DUPLICATE"


NEW_JOB_OUTCOMES = (AdmissionOutcome.CREATED, AdmissionOutcome.QUEUED_FOR_DAILY)


class AdmissionResult(Struct, frozen=True, kw_only=True):
    """The answer to a call for a job: its *outcome*, and the job that it is about.

    *job_id* is the new job, the one of an earlier equal call, or the one that caused the refusal.
    *state* and *due_time* are those of an accepted job as stored; None if they cannot be read.
    *meeting_id* is the meeting of an accepted job, and *time_note* says what a change of clocks
    made of the times in the call.
    """

    outcome: AdmissionOutcome
    job_id: str
    state: State | None = None
    due_time: datetime | None = None
    meeting_id: str = ""
    time_note: str = ""

    @property
    def is_accepted(self) -> bool:
        return self.outcome is not AdmissionOutcome.REFUSED_DUPLICATE

    @property
    def is_new(self) -> bool:
        """Whether this call made the job."""
        return self.outcome in NEW_JOB_OUTCOMES


AdmissionAnswer = AdmissionResult | RequestIdReused


def is_new_job(answer: AdmissionResult | GcschedError) -> bool:
    return isinstance(answer, AdmissionResult) and answer.is_new


def answer_created(job: Job) -> AdmissionResult:
    """Answer the call that made *job*."""
    meeting_id = job.meeting.meeting_id if job.meeting is not None else ""
    return answer_new_job(job.state, job_id=job.id, due_time=job.due_time, meeting_id=meeting_id)


def answer_new_job(
    state: State | None, *, job_id: str, due_time: datetime | None, meeting_id: str
) -> AdmissionResult:
    outcome = (
        AdmissionOutcome.QUEUED_FOR_DAILY if state is State.QUEUED else AdmissionOutcome.CREATED
    )
    return AdmissionResult(
        outcome=outcome, job_id=job_id, state=state, due_time=due_time, meeting_id=meeting_id
    )


def is_same_request_id(job: Job, holder: KeyHolder) -> bool:
    """Return whether *holder* has the request id of *job*, in whose scope it belongs.

    Each client has its own request ids. Those of callers without a name count for all clients, so
    that switching access control on causes no second mail.
    """
    is_in_scope = holder.client in {"", job.client}
    return bool(job.request_id) and holder.request_id == job.request_id and is_in_scope


def is_same_call(job: Job, holder: KeyHolder) -> bool:
    """Return whether *holder* is the job of an earlier call like that for *job*, by its client."""
    if holder.job_id == job.id:
        return True
    is_by_content = job.dedup_until is None
    return holder.client == job.client and (is_by_content or is_same_request_id(job, holder))


def answer_conflict(job: Job, holder: KeyHolder) -> AdmissionAnswer | None:
    """Answer the call for *job*, which was not stored because of *holder*.

    Returns None if the holder's window is over, so that *job* may take its key.
    """
    if holder.job_id == job.id:  # the driver repeated a write that had succeeded
        return answer_new_job(
            holder.state,
            job_id=holder.job_id,
            due_time=holder.due_time,
            meeting_id=holder.meeting_id,
        )
    has_same_id = is_same_request_id(job, holder)
    if has_same_id and holder.fingerprint != job.fingerprint:
        return RequestIdReused(job.request_id, holder.job_id)
    if has_same_id or job.dedup_until is None:
        return AdmissionResult(
            outcome=AdmissionOutcome.REPLAYED,
            job_id=holder.job_id,
            state=holder.state,
            due_time=holder.due_time,
            meeting_id=holder.meeting_id,
        )
    if holder.dedup_until is not None and holder.dedup_until <= job.create_time:
        return None
    return AdmissionResult(outcome=AdmissionOutcome.REFUSED_DUPLICATE, job_id=holder.job_id)
