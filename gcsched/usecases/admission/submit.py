"""Accept requests: store their jobs for good, then ring, then answer."""

import asyncio
import time
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from gcsched.domain.dedup import AdmissionAnswer, AdmissionResult, Outcome, is_new_job
from gcsched.domain.job import Job, State
from gcsched.domain.request import MeetRequest
from gcsched.errors import (
    AdmissionClosed,
    GcschedError,
    InvalidRequest,
    Overloaded,
    StoreUnavailable,
)
from gcsched.usecases.admission.job_factory import JobFactory, Submission
from gcsched.usecases.admission.recipient_writer import RecipientNotes
from gcsched.usecases.batching import Group
from gcsched.usecases.loop_share import LoopShare
from gcsched.usecases.ports import (
    AdmissionError,
    Admissions,
    Clock,
    MayAdmit,
    Observer,
    Unobserved,
    admit_always,
)
from gcsched.usecases.wakeups import LONGEST_WAIT_FOR_BELL, Ringer

LONGEST_WRITE = timedelta(seconds=3)  # a silent primary leaves time to find the next one
SHORTEST_WRITE = timedelta(seconds=1)
BETWEEN_TRIES_SECONDS = 0.1
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Stored:
    """The caller's answer, and the bell's if it is still out."""

    answer: AdmissionAnswer
    rung: asyncio.Future[None] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionWrite:
    """Store a group of jobs and ring for the new ones; belongs to no caller."""

    admissions: Admissions
    ringer: Ringer
    recipients: RecipientNotes
    may_admit: MayAdmit = admit_always

    async def __call__(self, group: Sequence[Submission]) -> list[Stored]:
        answers = await self._admit(group)
        return [
            Stored(answer, self._follow_up(submission) if is_new_job(answer) else None)
            for submission, answer in zip(group, answers, strict=True)
        ]

    async def _admit(self, group: Sequence[Submission]) -> list[AdmissionAnswer]:
        """Try until the last caller's time is over; the dedup keys make a repetition harmless."""
        late = [each.job for each in group if each.is_late]
        jobs = [each.job for each in group if not each.is_late]
        while True:
            now = time.monotonic()
            left = [each.until - now for each in group if each.until > now]
            within = timedelta(seconds=min(left, default=0.0))
            try:
                answers = await self._look(
                    jobs, late, min(max(within, SHORTEST_WRITE), LONGEST_WRITE)
                )
            except AdmissionClosed:
                raise
            except StoreUnavailable:
                if time.monotonic() + BETWEEN_TRIES_SECONDS > max(each.until for each in group):
                    raise
            else:
                return [answers[each.job.id] for each in group]
            await asyncio.sleep(BETWEEN_TRIES_SECONDS)

    async def _look(
        self, jobs: Sequence[Job], late: Sequence[Job], within: timedelta
    ) -> dict[str, AdmissionAnswer]:
        if jobs:
            await self.may_admit()
        stored = await self.admissions.admit(jobs, within=within) if jobs else []
        found = await self.admissions.foresee(late, within=within) if late else []
        return {
            job.id: answer for job, answer in zip([*jobs, *late], [*stored, *found], strict=True)
        }

    def _follow_up(self, submission: Submission) -> asyncio.Future[None] | None:
        job = submission.job
        if submission.is_late:
            return None
        self.recipients.note(job)
        return self.ringer.ask(job.due_time) if job.state is State.SCHEDULED else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Answer callers: the job that carries a wish is in MongoDB when this returns (P1)."""

    make_job: JobFactory
    group: Group[Submission, Stored]
    now: Clock
    observer: Observer = field(default_factory=Unobserved)
    share: LoopShare = field(default_factory=LoopShare)
    share_of_many: LoopShare = field(default_factory=LoopShare)

    async def __call__(self, raw: MeetRequest, *, within: timedelta) -> AdmissionResult:
        """Accept *raw* within the time the caller has.

        Raises Overloaded before it looks at the request, InvalidRequest, RequestIdReused, Stopping
        or StoreUnavailable.
        """
        try:
            answer = await self._answer(raw, within)
        except GcschedError as error:
            self.observer.admission(error)
            raise
        except asyncio.CancelledError as cancelled:
            self.observer.admission(cancelled)
            raise
        self.observer.admission(answer.outcome)
        return answer

    async def _answer(self, raw: MeetRequest, within: timedelta) -> AdmissionResult:
        self.group.check_room()
        seconds = within.total_seconds()
        until = time.monotonic() + seconds
        if self.share.is_used_up():
            await in_time(self.share.wait(), self.share, seconds)
        submission = self.make_job.submission(raw, now=self.now(), until=until)
        if isinstance(submission, InvalidRequest):
            raise submission
        try:
            stored = await self.group.ask(submission, until=until)
        except TimeoutError as error:
            raise StoreUnavailable("storing the job") from error
        if stored.rung is not None and not stored.rung.done():
            await ring_is_heard([stored.rung])
        answer = submission.answer(stored.answer)
        if isinstance(answer, GcschedError):
            raise answer
        return answer

    async def all(
        self, raws: Sequence[MeetRequest], *, within: timedelta
    ) -> list[AdmissionResult | GcschedError]:
        """Accept each of *raws* for itself; what is wrong with one is its answer.

        Raises what hits them all: Overloaded, Stopping or StoreUnavailable.
        """
        try:
            answers = await self._answers(raws, within)
        except GcschedError as error:
            self._count(error, len(raws))
            raise
        except asyncio.CancelledError as cancelled:
            self._count(cancelled, len(raws))
            raise
        for answer in answers:
            self.observer.admission(came_to(answer))
        return answers

    def _count(self, error: AdmissionError, times: int) -> None:
        for _ in range(times):
            self.observer.admission(error)

    async def _answers(
        self, raws: Sequence[MeetRequest], within: timedelta
    ) -> list[AdmissionResult | GcschedError]:
        self.group.check_room(len(raws))
        until = time.monotonic() + within.total_seconds()
        made = await in_time(self._make(raws, until), self.share_of_many, within.total_seconds())
        asked = [each for each in made if isinstance(each, Submission)]
        try:
            async with asyncio.timeout(until - time.monotonic()):
                answers = await self.group.ask_all(asked)
        except TimeoutError as error:
            raise StoreUnavailable("storing the job") from error
        await ring_is_heard(each.rung for each in answers if isinstance(each, Stored))
        answered = iter(answers)
        return [
            answer_of(each, next(answered)) if isinstance(each, Submission) else each
            for each in made
        ]

    async def _make(
        self, raws: Sequence[MeetRequest], until: float
    ) -> list[Submission | InvalidRequest]:
        """Make the jobs; *raws* may convert each when it is asked for."""
        made: list[Submission | InvalidRequest] = []
        now = self.now()
        for raw in raws:
            if self.share_of_many.is_used_up():
                await self.share_of_many.wait()
            made.append(self.make_job.submission(raw, now=now, until=until))
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


def answer_of(
    submission: Submission, stored: Stored | GcschedError
) -> AdmissionResult | GcschedError:
    return stored if isinstance(stored, GcschedError) else submission.answer(stored.answer)


def came_to(answer: AdmissionResult | GcschedError) -> Outcome | GcschedError:
    return answer if isinstance(answer, GcschedError) else answer.outcome
