"""Admission: store the jobs of requests durably, schedule their wake-ups, then answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from msgspec import Struct

from gcsched.domain.access import Client
from gcsched.domain.dedup import AdmissionAnswer, AdmissionOutcome, AdmissionResult, is_new_job
from gcsched.domain.job import Job, State
from gcsched.domain.request import MeetRequest
from gcsched.errors import (
    AdmissionClosed,
    GcschedError,
    InvalidRequest,
    Overloaded,
    StoreRefused,
    StoreUnavailable,
)
from gcsched.usecases.admission.job_factory import JobFactory, Submission
from gcsched.usecases.admission.meeting_writer import MeetingWriter
from gcsched.usecases.admission.quotas import GroupReservation, Quotas
from gcsched.usecases.admission.recipient_writer import RecipientWriter
from gcsched.usecases.batching import GroupCommit
from gcsched.usecases.loop_share import LoopShare
from gcsched.usecases.ports import (
    AdmissionCheck,
    AdmissionError,
    Admissions,
    Clock,
    NullObserver,
    Observer,
    admit_always,
)
from gcsched.usecases.wakeups import MAX_WAIT_FOR_QUEUE, WakeUps

MAX_WRITE = timedelta(seconds=3)  # short enough to try a new primary within the caller's time
MIN_WRITE = timedelta(seconds=1)  # a shorter write would fail even where MongoDB is well
RETRY_INTERVAL_SECONDS = 0.1
REFUSAL_MARGIN_SECONDS = 0.5
T = TypeVar("T")


class SubmissionResult(Struct, frozen=True):
    """The caller's answer, and its wake-up if the queue has not taken it yet."""

    answer: AdmissionResult | GcschedError
    wake_up: asyncio.Future[None] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionWriter:
    """Stores a group of jobs and schedules the wake-ups of the new ones; belongs to no caller.

    *quotas* reserves room for the jobs of clients that have limits.
    """

    admissions: Admissions
    wake_ups: WakeUps
    recipients: RecipientWriter
    check_admission: AdmissionCheck = admit_always
    quotas: Quotas | None = None

    async def write(self, group: Sequence[Submission]) -> list[SubmissionResult]:
        """Return the results of *group*, in order."""
        reserved = self.quotas.open(group) if self.quotas else None
        answers: Sequence[AdmissionResult | GcschedError]
        if reserved is None:
            answers = await self._admit(group)
        else:
            answers = await self._admit_reserved(group, reserved)
        wake_ups = [
            self._follow_up(submission) if is_new_job(answer) else None
            for submission, answer in zip(group, answers, strict=True)
        ]
        return [*map(SubmissionResult, answers, wake_ups)]

    async def _admit_reserved(
        self, group: Sequence[Submission], reserved: GroupReservation
    ) -> list[AdmissionResult | GcschedError]:
        """Reserve room, store what has room, and give back what was not needed."""
        await self.check_admission()
        try:
            await self._try_for(group, reserved.make)
        except StoreUnavailable:
            reserved.keep()
            raise
        found = reserved.answers
        rest = [each for each in group if each.job.id not in found]
        try:
            stored = await self._admit(rest, reserved) if rest else []
        except (StoreRefused, AdmissionClosed):
            await reserved.settle_refused()
            raise
        answers = {each.job.id: answer for each, answer in zip(rest, stored, strict=True)}
        await reserved.settle(answers)
        return [(answers.get(each.job.id) or found[each.job.id]) for each in group]

    async def _admit(
        self, group: Sequence[Submission], reserved: GroupReservation | None = None
    ) -> list[AdmissionResult | GcschedError]:
        late = [each.job for each in group if each.is_late]
        jobs = [each.job for each in group if not each.is_late]

        async def admit(within: timedelta) -> dict[str, AdmissionAnswer]:
            return await self._admit_once(jobs, late, within)

        answers = await self._try_for(group, admit, reserved)
        return [answers[each.job.id] for each in group]

    async def _try_for(
        self,
        group: Sequence[Submission],
        act: Callable[[timedelta], Awaitable[T]],
        reserved: GroupReservation | None = None,
    ) -> T:
        """Try until the last caller's time is over; dedup keys make a repeated write harmless."""
        while True:
            now = time.monotonic()
            left = [each.deadline - now for each in group if each.deadline > now]
            # By the first deadline: its caller should get an error that names the store.
            within = timedelta(seconds=min(left, default=0.0))
            try:
                return await act(min(max(within, MIN_WRITE), MAX_WRITE))
            except AdmissionClosed:
                raise
            except StoreUnavailable as error:
                if reserved is not None and not isinstance(error, StoreRefused):
                    reserved.is_doubtful = True
                # The caller should get the refusal in time: another try might end too late.
                margin = REFUSAL_MARGIN_SECONDS if isinstance(error, StoreRefused) else 0.0
                last = max(each.deadline for each in group) - margin
                if time.monotonic() + RETRY_INTERVAL_SECONDS > last:
                    raise
            await asyncio.sleep(RETRY_INTERVAL_SECONDS)

    async def _admit_once(
        self, jobs: Sequence[Job], late: Sequence[Job], within: timedelta
    ) -> dict[str, AdmissionAnswer]:
        if jobs:  # late jobs are only looked up and take no dedup key
            await self.check_admission()
        stored = await self.admissions.admit(jobs, within=within) if jobs else []
        found = await self.admissions.dry_run(late, within=within) if late else []
        return {
            job.id: answer for job, answer in zip([*jobs, *late], [*stored, *found], strict=True)
        }

    def _follow_up(self, submission: Submission) -> asyncio.Future[None] | None:
        job = submission.job
        if submission.is_late:
            return None
        self.recipients.add(job)
        return self.wake_ups.schedule(job.due_time) if job.state is State.SCHEDULED else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Answers callers; when `submit` returns, the job is in MongoDB (promise P1).

    *share* limits the event loop time of single requests, *bulk_share* that of batches: a batch
    does not delay single callers.
    """

    job_factory: JobFactory
    group: GroupCommit[Submission, SubmissionResult]
    meetings: MeetingWriter
    now: Clock
    observer: Observer = field(default_factory=NullObserver)
    share: LoopShare = field(default_factory=LoopShare)
    bulk_share: LoopShare = field(default_factory=LoopShare)

    async def submit(
        self, raw: MeetRequest, *, within: timedelta, client: Client
    ) -> AdmissionResult:
        """Accept *raw* of *client* within the time of its caller.

        Raises Overloaded before the request is validated, InvalidRequest, RequestIdReused, Stopping
        or StoreUnavailable.
        """
        try:
            self.group.check_room()
            seconds = within.total_seconds()
            until = time.monotonic() + seconds
            if not self.share.try_take():
                await run_in_share(self.share.wait(), self.share, seconds)
            submission = self.job_factory.create_submission(
                raw, now=self.now(), deadline=until, client=client
            )
            if isinstance(submission, InvalidRequest):
                raise submission
            stored = await self.group.submit(submission, deadline=until)
            answer = submission.answer(stored.answer)
            if submission.job.meeting is not None:
                answer = await self.meetings.complete(submission, answer)
            if stored.wake_up is not None and not stored.wake_up.done():
                await wait_for_wake_ups([stored.wake_up])
            if isinstance(answer, GcschedError):
                raise answer
        except TimeoutError as timeout:
            late = StoreUnavailable("storing the job")
            self.observer.on_admission(late)
            raise late from timeout
        except (GcschedError, asyncio.CancelledError) as error:
            self.observer.on_admission(error)
            raise
        self.observer.on_admission(answer.outcome)
        return answer

    async def submit_all(
        self, raws: Sequence[MeetRequest], *, within: timedelta, client: Client
    ) -> list[AdmissionResult | GcschedError]:
        """Accept each of *raws* of *client*; return for each its result or its own error.

        Raises errors that fail all of them: Overloaded, Stopping or StoreUnavailable.
        """
        try:
            answers = await self._submit_all(raws, within, client)
        except (GcschedError, asyncio.CancelledError) as error:
            self._count(error, len(raws))
            raise
        for answer in answers:
            self.observer.on_admission(find_outcome(answer))
        return answers

    def _count(self, error: AdmissionError, times: int) -> None:
        for _ in range(times):
            self.observer.on_admission(error)

    async def _submit_all(
        self, raws: Sequence[MeetRequest], within: timedelta, client: Client
    ) -> list[AdmissionResult | GcschedError]:
        self.group.check_room(len(raws))
        until = time.monotonic() + within.total_seconds()
        created = await run_in_share(
            self._create_submissions(raws, until, client), self.bulk_share, within.total_seconds()
        )
        submissions = [each for each in created if isinstance(each, Submission)]
        try:
            async with asyncio.timeout(until - time.monotonic()):
                answers = await self.group.submit_all(submissions)
        except TimeoutError as error:
            raise StoreUnavailable("storing the job") from error
        resolved = await self.meetings.complete_all(
            submissions, [*map(resolve_answer, submissions, answers)]
        )
        await wait_for_wake_ups(
            each.wake_up for each in answers if isinstance(each, SubmissionResult)
        )
        remaining = iter(resolved)
        return [next(remaining) if isinstance(each, Submission) else each for each in created]

    async def _create_submissions(
        self, raws: Sequence[MeetRequest], until: float, client: Client
    ) -> list[Submission | InvalidRequest]:
        """Build the jobs; iterating *raws* may convert each request."""
        created: list[Submission | InvalidRequest] = []
        now = self.now()
        for raw in raws:
            if not self.bulk_share.try_take():
                await self.bulk_share.wait()
            created.append(
                self.job_factory.create_submission(raw, now=now, deadline=until, client=client)
            )
        return created


async def run_in_share(work: Awaitable[T], share: LoopShare, seconds: float) -> T:
    """Await *work*, which takes turns in *share*. Raises Overloaded if that takes too long."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError as error:  # nothing was sent to the store: the event loop is overloaded
        raise Overloaded(share.waiting) from error


async def wait_for_wake_ups(wake_ups: Iterable[asyncio.Future[None] | None]) -> None:
    """Wait shortly for the queue to take *wake_ups*; a reply does not depend on it."""
    if pending := {wake_up for wake_up in wake_ups if wake_up is not None}:
        await asyncio.wait(pending, timeout=MAX_WAIT_FOR_QUEUE.total_seconds())


def resolve_answer(
    submission: Submission, stored: SubmissionResult | GcschedError
) -> AdmissionResult | GcschedError:
    return stored if isinstance(stored, GcschedError) else submission.answer(stored.answer)


def find_outcome(answer: AdmissionResult | GcschedError) -> AdmissionOutcome | GcschedError:
    return answer if isinstance(answer, GcschedError) else answer.outcome
