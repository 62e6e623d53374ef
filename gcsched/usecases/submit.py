"""Accept requests: store their jobs for good, then ring, then answer."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import assert_never

from gcsched.domain.job import Job, State
from gcsched.domain.request import MeetRequest
from gcsched.errors import (
    GcschedError,
    InvalidRequest,
    Overloaded,
    RequestIdReused,
    Stopping,
    StoreUnavailable,
)
from gcsched.usecases.group import Group
from gcsched.usecases.job_factory import JobFactory
from gcsched.usecases.observing import AdmissionOutcome, Observer, Unobserved
from gcsched.usecases.ports import Admission, Admissions, Admitted, Clock, IdTaken, TooSoon
from gcsched.usecases.recipients import RecipientNotes
from gcsched.usecases.ringer import LONGEST_WAIT_FOR_BELL, Ringer

LONGEST_WRITE = timedelta(seconds=3)  # a silent primary leaves time to find the next one
SHORTEST_WRITE = timedelta(seconds=1)
BETWEEN_TRIES_SECONDS = 0.1
MADE_AT_ONCE = 100
REFUSED: Mapping[type[GcschedError], AdmissionOutcome] = {
    InvalidRequest: AdmissionOutcome.INVALID,
    Overloaded: AdmissionOutcome.OVERLOADED,
    RequestIdReused: AdmissionOutcome.REFUSED,
    Stopping: AdmissionOutcome.STOPPING,
    StoreUnavailable: AdmissionOutcome.UNAVAILABLE,
}

Accepted = Admitted | TooSoon


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One caller's job, and the ``time.monotonic()`` until which the caller waits."""

    job: Job
    until: float


@dataclass(frozen=True, slots=True)
class Stored:
    """The caller's answer, and the bell's if it is still out."""

    admission: Admission
    rung: asyncio.Future[None] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionWrite:
    """Store a group of jobs and ring for the new ones; belongs to no caller."""

    admissions: Admissions
    ringer: Ringer
    recipients: RecipientNotes

    async def __call__(self, group: Sequence[Asked]) -> list[Stored]:
        answers = await self._admit(group)
        return [
            Stored(answer, self._follow_up(asked.job) if is_new(answer) else None)
            for asked, answer in zip(group, answers, strict=True)
        ]

    async def _admit(self, group: Sequence[Asked]) -> list[Admission]:
        """Try until the last caller's time is over; the dedup keys make a repetition harmless."""
        jobs = [asked.job for asked in group]
        while True:
            now = time.monotonic()
            left = [asked.until - now for asked in group if asked.until > now]
            within = timedelta(seconds=min(left, default=0.0))
            try:
                return await self.admissions.admit(
                    jobs, within=min(max(within, SHORTEST_WRITE), LONGEST_WRITE)
                )
            except StoreUnavailable:
                if time.monotonic() + BETWEEN_TRIES_SECONDS > max(a.until for a in group):
                    raise
            await asyncio.sleep(BETWEEN_TRIES_SECONDS)

    def _follow_up(self, job: Job) -> asyncio.Future[None] | None:
        self.recipients.note(job)
        return self.ringer.ask(job.due) if job.state is State.SCHEDULED else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Answer callers: the job that carries a wish is in MongoDB when this returns (P1)."""

    make_job: JobFactory
    admissions: Admissions
    group: Group[Asked, Stored]
    now: Clock
    observer: Observer = field(default_factory=Unobserved)

    async def __call__(self, raw: MeetRequest, *, within: timedelta) -> Accepted:
        """Accept *raw* within the time the caller has.

        Raises Overloaded before it looks at the request, InvalidRequest, RequestIdReused, Stopping
        or StoreUnavailable.
        """
        [answer] = await self.all([raw], within=within)
        if isinstance(answer, GcschedError):
            raise answer
        return answer

    async def all(
        self, raws: Sequence[MeetRequest], *, within: timedelta
    ) -> list[Accepted | GcschedError]:
        """Accept each of *raws* for itself; what is wrong with one is its answer.

        Raises what hits them all: Overloaded, Stopping or StoreUnavailable.
        """
        try:
            answers = await self._answers(raws, within)
        except GcschedError as error:
            self._count(outcome_of(error), len(raws))
            raise
        except asyncio.CancelledError:
            self._count(AdmissionOutcome.CANCELLED, len(raws))
            raise
        for answer in answers:
            self.observer.admission(outcome_of(answer))
        return answers

    def _count(self, outcome: AdmissionOutcome, times: int) -> None:
        for _ in range(times):
            self.observer.admission(outcome)

    async def _answers(
        self, raws: Sequence[MeetRequest], within: timedelta
    ) -> list[Accepted | GcschedError]:
        self.group.check_room(len(raws))
        until = time.monotonic() + within.total_seconds()
        try:
            async with asyncio.timeout(within.total_seconds()):
                made = [
                    await self._answer_late(raw, each) if isinstance(each, InvalidRequest) else each
                    for raw, each in zip(raws, await self._make(raws), strict=True)
                ]
                asked = [Asked(job=job, until=until) for job in made if isinstance(job, Job)]
                answers = await self.group.ask_all(asked)
        except TimeoutError as error:
            raise StoreUnavailable("storing the job") from error
        answered = iter(answers)
        await ring_is_heard(each.rung for each in answers if isinstance(each, Stored))
        return [accepted(each, next(answered)) if isinstance(each, Job) else each for each in made]

    async def _answer_late(
        self, raw: MeetRequest, wrong: InvalidRequest
    ) -> Accepted | GcschedError:
        """Answer what is *wrong*; if only because it is too late, by the job it made in time."""
        if not (raw.timestamp > 0 and 0 < raw.not_after <= self.now().timestamp()):
            return wrong
        try:
            job = self.make_job(raw, now=datetime.fromtimestamp(raw.not_after, UTC))
        except InvalidRequest:
            return wrong
        admission = await self.admissions.foresee(job)
        return wrong if is_new(admission) else accepted(job, Stored(admission, rung=None))

    async def _make(self, raws: Sequence[MeetRequest]) -> list[Job | InvalidRequest]:
        """Make the jobs; a thousand in one go would keep everybody else waiting."""
        made: list[Job | InvalidRequest] = []
        now = self.now()
        for raw in raws:
            if made and len(made) % MADE_AT_ONCE == 0:
                await asyncio.sleep(0)
            made.append(self._job_of(raw, now))
        return made

    def _job_of(self, raw: MeetRequest, now: datetime) -> Job | InvalidRequest:
        try:
            return self.make_job(raw, now=now)
        except InvalidRequest as error:
            return error


async def ring_is_heard(rings: Iterable[asyncio.Future[None] | None]) -> None:
    """Wait for the bell, and not for long: a reply does not depend on it."""
    if out := {rung for rung in rings if rung is not None}:
        await asyncio.wait(out, timeout=LONGEST_WAIT_FOR_BELL.total_seconds())


def is_new(admission: Admission) -> bool:
    return isinstance(admission, Admitted) and admission.is_new


def accepted(job: Job, answer: Stored | GcschedError) -> Accepted | GcschedError:
    """Say what the caller of *job* is told."""
    if isinstance(answer, GcschedError):
        return answer
    match answer.admission:
        case IdTaken(job_id=holder):
            return RequestIdReused(job.request_id, holder)
        case Admitted() | TooSoon() as admission:
            return admission
        case never:
            assert_never(never)


def outcome_of(answer: Accepted | GcschedError) -> AdmissionOutcome:
    match answer:
        case Admitted(is_new=True):
            return AdmissionOutcome.CREATED
        case Admitted():
            return AdmissionOutcome.REPLAYED
        case TooSoon():
            return AdmissionOutcome.REFUSED
        case error:
            return REFUSED.get(type(error), AdmissionOutcome.INVALID)
