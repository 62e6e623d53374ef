"""Which notifications are the same one, and what a caller is told who asks again. Pure."""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from gcsched.domain.job import Job, State
from gcsched.domain.request import MeetRequest
from gcsched.errors import RequestIdReused


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

    def dedup_until(self, now: datetime) -> datetime | None:
        """Give the time at which the key is another's for the asking; None: while it is held."""
        return now + self.window if self.by is Dedup.EMPLOYEE else None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder:
    """What the store tells of a job that has what another one would need.

    *state* and *due_time* are None where somebody has spoilt them: that is no reason to mail twice.
    """

    job_id: str
    state: State | None
    due_time: datetime | None
    request_id: str = ""
    fingerprint: str = ""
    dedup_until: datetime | None = None


class AdmissionOutcome(StrEnum):
    """What an accepted or refused call came to, by the names of MeetResponse.Outcome."""

    CREATED = "CREATED"
    REPLAYED = "REPLAYED"
    QUEUED_FOR_DAILY = "QUEUED_FOR_DAILY"
    REFUSED_DUPLICATE = "REFUSED_DUPLICATE"


NEW_JOB_OUTCOMES = (AdmissionOutcome.CREATED, AdmissionOutcome.QUEUED_FOR_DAILY)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionResult:
    """The answer to a call for a job: its *outcome*, and the job that it is about.

    *job_id* is the new job, the same one of an earlier call, or the one that stands against it.
    *state* and *due_time* are those of an accepted job as it is stored; None: they cannot be read.
    """

    outcome: AdmissionOutcome
    job_id: str
    state: State | None = None
    due_time: datetime | None = None

    @property
    def is_accepted(self) -> bool:
        return self.outcome is not AdmissionOutcome.REFUSED_DUPLICATE

    @property
    def is_new(self) -> bool:
        """Whether this call made the job."""
        return self.outcome in NEW_JOB_OUTCOMES


AdmissionAnswer = AdmissionResult | RequestIdReused


def is_new_job(answer: AdmissionAnswer) -> bool:
    return isinstance(answer, AdmissionResult) and answer.is_new


def answer_created(job: Job) -> AdmissionResult:
    """Answer the call that made *job*."""
    return answer_new_job(job.state, job_id=job.id, due_time=job.due_time)


def answer_new_job(
    state: State | None, *, job_id: str, due_time: datetime | None
) -> AdmissionResult:
    outcome = (
        AdmissionOutcome.QUEUED_FOR_DAILY if state is State.QUEUED else AdmissionOutcome.CREATED
    )
    return AdmissionResult(outcome=outcome, job_id=job_id, state=state, due_time=due_time)


def answer_conflict(job: Job, holder: KeyHolder) -> AdmissionAnswer | None:
    """Answer the call for *job*, which was not stored because of *holder*.

    None: the holder's window is over, so that it has to let the key go.
    """
    if holder.job_id == job.id:  # a write that was repeated finds its own job
        return answer_new_job(holder.state, job_id=holder.job_id, due_time=holder.due_time)
    has_same_id = bool(job.request_id) and holder.request_id == job.request_id
    if has_same_id and holder.fingerprint != job.fingerprint:
        return RequestIdReused(job.request_id, holder.job_id)
    if has_same_id or job.dedup_until is None:
        return AdmissionResult(
            outcome=AdmissionOutcome.REPLAYED,
            job_id=holder.job_id,
            state=holder.state,
            due_time=holder.due_time,
        )
    if holder.dedup_until is not None and holder.dedup_until <= job.create_time:
        return None
    return AdmissionResult(outcome=AdmissionOutcome.REFUSED_DUPLICATE, job_id=holder.job_id)
