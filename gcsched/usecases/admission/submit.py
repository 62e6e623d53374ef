"""Accept requests: store their jobs for good, then ring, then answer."""

import asyncio
import time
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar, assert_never

from gcsched.domain.job import Job, State
from gcsched.domain.request import MeetRequest
from gcsched.errors import (
    AdmissionClosed,
    GcschedError,
    InvalidRequest,
    Overloaded,
    RequestIdReused,
    Stopping,
    StoreUnavailable,
)
from gcsched.usecases.admission.job_factory import JobFactory, Wanted
from gcsched.usecases.admission.recipient_writer import RecipientNotes
from gcsched.usecases.batching import Group
from gcsched.usecases.loop_share import LoopShare
from gcsched.usecases.ports import (
    Admission,
    AdmissionOutcome,
    Admissions,
    Admitted,
    Clock,
    IdTaken,
    Observer,
    TooSoon,
    Unobserved,
)
from gcsched.usecases.recovery.indexes import MayAdmit, always
from gcsched.usecases.wakeups import LONGEST_WAIT_FOR_BELL, Ringer

LONGEST_WRITE = timedelta(seconds=3)  # a silent primary leaves time to find the next one
SHORTEST_WRITE = timedelta(seconds=1)
BETWEEN_TRIES_SECONDS = 0.1
REFUSED: Mapping[type[GcschedError], AdmissionOutcome] = {
    InvalidRequest: AdmissionOutcome.INVALID,
    Overloaded: AdmissionOutcome.OVERLOADED,
    RequestIdReused: AdmissionOutcome.REFUSED,
    Stopping: AdmissionOutcome.STOPPING,
    StoreUnavailable: AdmissionOutcome.UNAVAILABLE,
}

Accepted = Admitted | TooSoon
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One caller's job, and the ``time.monotonic()`` until which the caller waits.

    What *is_late* is looked for and not stored.
    """

    job: Job
    until: float
    is_late: bool = False


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
    may_admit: MayAdmit = always

    async def __call__(self, group: Sequence[Asked]) -> list[Stored]:
        answers = await self._admit(group)
        return [
            Stored(answer, self._follow_up(asked) if is_new(answer) else None)
            for asked, answer in zip(group, answers, strict=True)
        ]

    async def _admit(self, group: Sequence[Asked]) -> list[Admission]:
        """Try until the last caller's time is over; the dedup keys make a repetition harmless."""
        late = [asked.job for asked in group if asked.is_late]
        jobs = [asked.job for asked in group if not asked.is_late]
        while True:
            now = time.monotonic()
            left = [asked.until - now for asked in group if asked.until > now]
            within = timedelta(seconds=min(left, default=0.0))
            try:
                answers = await self._look(
                    jobs, late, min(max(within, SHORTEST_WRITE), LONGEST_WRITE)
                )
            except AdmissionClosed:
                raise
            except StoreUnavailable:
                if time.monotonic() + BETWEEN_TRIES_SECONDS > max(a.until for a in group):
                    raise
            else:
                return [answers[asked.job.id] for asked in group]
            await asyncio.sleep(BETWEEN_TRIES_SECONDS)

    async def _look(
        self, jobs: Sequence[Job], late: Sequence[Job], within: timedelta
    ) -> dict[str, Admission]:
        if jobs:
            await self.may_admit()
        stored = await self.admissions.admit(jobs, within=within) if jobs else []
        found = await self.admissions.foresee(late, within=within) if late else []
        return {
            job.id: answer for job, answer in zip([*jobs, *late], [*stored, *found], strict=True)
        }

    def _follow_up(self, asked: Asked) -> asyncio.Future[None] | None:
        job = asked.job
        if asked.is_late:
            return None
        self.recipients.note(job)
        return self.ringer.ask(job.due) if job.state is State.SCHEDULED else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Answer callers: the job that carries a wish is in MongoDB when this returns (P1)."""

    make_job: JobFactory
    group: Group[Asked, Stored]
    now: Clock
    observer: Observer = field(default_factory=Unobserved)
    share: LoopShare = field(default_factory=LoopShare)
    share_of_many: LoopShare = field(default_factory=LoopShare)

    async def __call__(self, raw: MeetRequest, *, within: timedelta) -> Accepted:
        """Accept *raw* within the time the caller has.

        Raises Overloaded before it looks at the request, InvalidRequest, RequestIdReused, Stopping
        or StoreUnavailable.
        """
        try:
            answer = await self._answer(raw, within)
        except GcschedError as error:
            self.observer.admission(outcome_of(error))
            raise
        except asyncio.CancelledError:
            self.observer.admission(AdmissionOutcome.CANCELLED)
            raise
        self.observer.admission(outcome_of(answer))
        return answer

    async def _answer(self, raw: MeetRequest, within: timedelta) -> Accepted:
        self.group.check_room()
        seconds = within.total_seconds()
        until = time.monotonic() + seconds
        if self.share.is_used_up():
            await in_time(self.share.wait(), self.share, seconds)
        wanted = self.make_job.wanted(raw, now=self.now())
        if isinstance(wanted, InvalidRequest):
            raise wanted
        try:
            stored = await self.group.ask(asking(wanted, until), until=until)
        except TimeoutError as error:
            raise StoreUnavailable("storing the job") from error
        if stored.rung is not None and not stored.rung.done():
            await ring_is_heard([stored.rung])
        answer = accepted(wanted, stored)
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
        made = await in_time(self._make(raws), self.share_of_many, within.total_seconds())
        asked = [asking(each, until) for each in made if isinstance(each, Wanted)]
        try:
            async with asyncio.timeout(until - time.monotonic()):
                answers = await self.group.ask_all(asked)
        except TimeoutError as error:
            raise StoreUnavailable("storing the job") from error
        answered = iter(answers)
        await ring_is_heard(each.rung for each in answers if isinstance(each, Stored))
        return [
            accepted(each, next(answered)) if isinstance(each, Wanted) else each for each in made
        ]

    async def _make(self, raws: Sequence[MeetRequest]) -> list[Wanted | InvalidRequest]:
        """Make the jobs; *raws* may convert each when it is asked for."""
        made: list[Wanted | InvalidRequest] = []
        now = self.now()
        for raw in raws:
            if self.share_of_many.is_used_up():
                await self.share_of_many.wait()
            made.append(self.make_job.wanted(raw, now=now))
        return made


async def in_time(work: Awaitable[Made], share: LoopShare, seconds: float) -> Made:
    """Return what *work* makes in turns of *share*. Raises Overloaded if that takes too long."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError as error:  # nothing is sent yet
        raise Overloaded(share.waiting) from error


async def ring_is_heard(rings: Iterable[asyncio.Future[None] | None]) -> None:
    """Wait for the bell, and not for long: a reply does not depend on it."""
    if out := {rung for rung in rings if rung is not None}:
        await asyncio.wait(out, timeout=LONGEST_WAIT_FOR_BELL.total_seconds())


def asking(wanted: Wanted, until: float) -> Asked:
    return Asked(job=wanted.job, until=until, is_late=wanted.too_late is not None)


def is_new(admission: Admission) -> bool:
    return isinstance(admission, Admitted) and admission.is_new


def accepted(wanted: Wanted, answer: Stored | GcschedError) -> Accepted | GcschedError:
    """Say what the caller of *wanted* is told."""
    if isinstance(answer, GcschedError):
        return answer
    if (refusal := wanted.refusal(answer.admission)) is not None:
        return refusal
    match answer.admission:
        case IdTaken(job_id=holder):
            return RequestIdReused(wanted.job.request_id, holder)
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
            kinds = (REFUSED[kind] for kind in type(error).mro() if kind in REFUSED)
            return next(kinds, AdmissionOutcome.INVALID)
