"""Which notifications are the same one, and what a caller is told who asks again. Pure."""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum, StrEnum
from hashlib import sha256

from gcsched.domain.job import Job, State
from gcsched.domain.request import MeetRequest


class Dedup(StrEnum):
    """What makes two wishes the same one, where no request id says it."""

    CONTENT = "content"
    EMPLOYEE = "employee"


def dedup_key(request: MeetRequest, *, daily: date | None) -> str:
    """Derive the key from employee, address, text, and the second or the daily run asked for.

    Never change what goes in here: a changed key makes a repeated call a second mail.
    """
    when = str(request.timestamp) if daily is None else f"daily:{daily.isoformat()}"
    return digest(b"v1", request.empid, request.email, request.message, when)


def request_key(request_id: str) -> str:
    return digest(b"request v1", request_id)


def employee_key(empid: str) -> str:
    return digest(b"employee v1", empid)


def fingerprint(request: MeetRequest) -> str:
    """Derive what two requests of one id must share: all that they ask for."""
    content = (
        *(request.empid, request.email, request.message, request.name, request.timestamp),
        *(request.template, sorted(request.variables.items()), request.not_after),
        *(request.reply_to, sorted(request.labels.items()), request.priority),
    )
    return digest(b"content v1", json.dumps(content))


def digest(version: bytes, *parts: str) -> str:
    made = sha256(version)
    for part in parts:
        data = part.encode()
        made.update(len(data).to_bytes(4, "big") + data)
    return made.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class DedupRule:
    """How keys are made here; *window* is for how long an employee gets no second mail."""

    by: Dedup = Dedup.CONTENT
    window: timedelta = timedelta(hours=24)

    def key(self, request: MeetRequest, *, daily: date | None) -> str:
        if self.by is Dedup.EMPLOYEE:
            return employee_key(request.empid)
        if request.request_id:
            return request_key(request.request_id)
        return dedup_key(request, daily=daily)

    def until(self, now: datetime) -> datetime | None:
        """Give the time at which the key is another's for the asking; None: while it is held."""
        return now + self.window if self.by is Dedup.EMPLOYEE else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """What the store tells of a job that has what another one would need.

    *state* and *due* are None where somebody has spoilt them: that is no reason to mail twice.
    """

    job_id: str
    state: State | None
    due: datetime | None
    request_id: str = ""
    fingerprint: str = ""
    dedup_until: datetime | None = None


class Clash(Enum):
    """What it means for a new job that somebody has its key or its request id."""

    SAME = "the holder is what was asked for"
    ID_REUSED = "the holder has the request id, and other content"
    TOO_SOON = "the employee had a notification within the window"
    WINDOW_OVER = "the holder's time is over: it has to let the key go"


def clash(job: Job, holder: Holder) -> Clash:
    """Judge *job*, which was not stored because of *holder*."""
    if holder.job_id == job.id:
        return Clash.SAME
    if job.request_id and holder.request_id == job.request_id:
        return Clash.SAME if holder.fingerprint == job.fingerprint else Clash.ID_REUSED
    if job.dedup_until is None:
        return Clash.SAME
    is_over = holder.dedup_until is not None and holder.dedup_until <= job.created
    return Clash.WINDOW_OVER if is_over else Clash.TOO_SOON
