"""The delivery engine: claims due jobs while there is room, and hands them to the worker pool."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from gcsched.domain.ids import new_id
from gcsched.domain.meetings.claims import Objection
from gcsched.errors import StoreUnavailable
from gcsched.usecases.delivery.batch_size import BatchSize
from gcsched.usecases.delivery.deliver import ClaimedJob
from gcsched.usecases.delivery.leases import Leases
from gcsched.usecases.delivery.worker_pool import WorkerPool
from gcsched.usecases.loops import cancel_until_done, finish
from gcsched.usecases.ports import (
    BatchStep,
    ClaimedBatch,
    ClaimedMeetings,
    Claims,
    Clock,
    Gate,
    NullObserver,
    Observer,
    Suppressions,
)
from gcsched.usecases.problem_log import ProblemLog

POLL_INTERVAL_SECONDS = 0.01
URGENT_INTERVAL_SECONDS = 0.1  # how late an urgent job is claimed while there is no room
MAX_IDLE_CLAIMS = 50  # claims in a row that took nothing, 10 ms apart
AFTER_FAILURE_SECONDS = 0.5
AFTER_OBJECTION = timedelta(seconds=10)
UNCHECKED = Objection(reason="its meeting could not be checked", is_final=False)
MAX_CLAIM = timedelta(seconds=15)  # a claim that takes longer than an election has failed


def ignore_meeting(_: str) -> None:
    """Do nothing: the default where no meeting can change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Claims due jobs after every nudge; a nudge carries no data, the store knows what is due.

    A claim takes at most *batch_size* jobs: the first mails leave while the next jobs are claimed,
    and the size grows with the backlog. *wake_others* is called
    when more jobs are due than this process took. The *gate* limits how many mails may leave; while
    it is shut, nothing is claimed. *on_objection* is called with each meeting that a claimed mail
    does not fit any more.
    """

    claims: Claims
    suppressions: Suppressions
    meetings: ClaimedMeetings
    leases: Leases
    workers: WorkerPool
    gate: Gate
    batch_size: BatchSize
    wake_others: Callable[[], None]
    now: Clock
    on_objection: Callable[[str], None] = ignore_meeting
    nudged: asyncio.Event = field(default_factory=asyncio.Event)
    observer: Observer = field(default_factory=NullObserver)
    _unanswered_claims: list[str] = field(default_factory=list, init=False)
    _problem_log: ProblemLog = field(
        default_factory=partial(
            ProblemLog, event="claim failed, retrying", end_event="claims resumed"
        ),
        init=False,
    )

    _meeting_log: ProblemLog = field(
        default_factory=partial(
            ProblemLog, event="meetings not checked, retrying", end_event="meetings checked again"
        ),
        init=False,
    )

    def nudge(self) -> None:
        self.nudged.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Claim until *stop*; then give back the jobs whose body has not begun.

        The worker pool finishes the others in its own loop.
        """
        async with asyncio.TaskGroup() as tasks:
            claiming = tasks.create_task(self._claim_on_nudges(), name="claiming")
            await stop.wait()
            self.workers.drain()  # jobs that a claim in progress brings are given back as well
            await cancel_until_done({claiming})

    async def _claim_on_nudges(self) -> None:
        while True:
            await self.nudged.wait()
            self.nudged.clear()  # before the claim: a nudge that comes during it starts another one
            try:
                await self.claim_due()
            except (StoreUnavailable, TimeoutError) as error:
                reason = (
                    error.for_log
                    if isinstance(error, StoreUnavailable)
                    else "it took longer than 15 s"
                )
                self._problem_log.record_failure(reason)
                await asyncio.sleep(AFTER_FAILURE_SECONDS)
                self.nudge()  # the wake-up of the failed claim does not come again

    async def claim_due(self) -> None:
        """Claim batch after batch until no due job is left, or other processes have them."""
        idle_claims, is_nudged = 0, True
        while idle_claims < MAX_IDLE_CLAIMS:
            await self._wait_for_room(is_nudged=is_nudged)
            is_nudged = False
            await self.gate.wait_open()
            batch = await self._claim_uncancelled()
            if batch is None:
                continue
            self._problem_log.record_success()
            if batch.due_count == 0:
                return
            # Due but not claimed: other processes were faster, or the server's clock is behind.
            idle_claims = 0 if batch.jobs else idle_claims + 1
            if not batch.jobs:
                await asyncio.sleep(POLL_INTERVAL_SECONDS)

    async def _wait_for_room(self, *, is_nudged: bool) -> None:
        """Wait for room; urgent jobs are claimed meanwhile and sent first."""
        while self.leases.is_short_of_room:
            if is_nudged and self.leases.room_for_urgent > 0:
                await self._claim_uncancelled(urgent_only=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(URGENT_INTERVAL_SECONDS):
                    await self.leases.wait_for_room()
            is_nudged = self.nudged.is_set()
            self.nudged.clear()  # jobs that are not urgent are claimed once there is room

    async def _claim_uncancelled(self, *, urgent_only: bool = False) -> ClaimedBatch | None:
        # A cancelled claim may have taken jobs that nothing would send until their lease ends.
        claim = self._claim_granted(urgent_only=urgent_only)
        return await finish(claim, within=MAX_CLAIM)

    async def _claim_granted(self, *, urgent_only: bool) -> ClaimedBatch | None:
        """Claim as many jobs as room and gate allow; return None if they allow none."""
        room = self.leases.room_for_urgent if urgent_only else self.leases.room
        requested = max(0, min(room, self.batch_size.current))
        granted = await self.gate.grant(requested) if requested else 0
        if granted == 0:
            return None
        taken = 0
        try:
            batch, taken = await self._claim_and_hand_over(granted, urgent_only=urgent_only)
        finally:
            await self.gate.refund(granted - taken)
        is_more_due = granted == requested and batch.due_count > len(batch.jobs)
        if not urgent_only:
            self.batch_size.adapt(was_full=is_more_due and len(batch.jobs) == granted)
        if is_more_due:
            self.wake_others()
        return batch

    async def _claim_and_hand_over(
        self, most: int, *, urgent_only: bool
    ) -> tuple[ClaimedBatch, int]:
        """Claim at most *most* jobs; return the batch and how many the worker pool accepted."""
        batch = await self._claim(most, urgent_only=urgent_only)
        self.leases.add(batch)
        if not batch.jobs:
            return batch, 0
        self.observer.on_batch(BatchStep.CLAIM, len(batch.jobs))
        return batch, await self._hand_over(batch)

    async def _claim(self, most: int, *, urgent_only: bool) -> ClaimedBatch:
        """Claim jobs; first release those of an earlier claim whose answer was lost."""
        if self._unanswered_claims:
            await self.claims.release(self._unanswered_claims)
            self._unanswered_claims.clear()
        now = self.now()
        # Noted before the claim is sent: if its answer is lost, the next claim releases its jobs.
        self._unanswered_claims.append(new_id(now))
        batch = await self.claims.claim(
            self._unanswered_claims[0], most, now=now, urgent_only=urgent_only
        )
        self._unanswered_claims.clear()
        return batch

    async def _hand_over(self, batch: ClaimedBatch) -> int:
        """Pass *batch* to the worker pool, after one read of the suppressions of its addresses.

        If mails about meetings are in it, their meetings are read as well: one that is not wanted
        any more ends without a conversation, and one that shows too old a revision waits.
        """
        claimed_jobs = [ClaimedJob(job=job, token=batch.token) for job in batch.jobs]
        try:
            addresses = {job.email for job in batch.jobs}
            suppressed = await self.suppressions.find_active(addresses, now=self.now())
            objections = await self._find_objections(batch)
        except BaseException:
            for claimed in claimed_jobs:  # without these nothing may be sent
                self.workers.give_back(claimed)
            raise
        for claimed in claimed_jobs:
            claimed.suppression = suppressed.get(claimed.job.email)
            if (objection := objections.get(claimed.job.id)) is not None:
                self._hold_back(claimed, objection)
        return sum(
            self.workers.put(claimed)
            for claimed in claimed_jobs
            if claimed.job.id not in objections
        )

    async def _find_objections(self, batch: ClaimedBatch) -> Mapping[str, Objection]:
        """Return job id → why it must not be sent now, for the mails about meetings in *batch*."""
        mails = [job for job in batch.jobs if job.meeting is not None]
        if not mails:
            return {}
        try:
            objections = await self.meetings.check(mails)
        except StoreUnavailable as error:
            self._meeting_log.record_failure(error.for_log)
            return {job.id: UNCHECKED for job in mails}
        self._meeting_log.record_success()
        return objections

    def _hold_back(self, claimed: ClaimedJob, objection: Objection) -> None:
        """End the job, or have it wait until its meeting was looked at."""
        claimed.objection = objection.reason if objection.is_final else ""
        self.workers.postpone(claimed, AFTER_OBJECTION)
        if claimed.job.meeting is not None and objection is not UNCHECKED:
            self.on_objection(claimed.job.meeting.meeting_id)
