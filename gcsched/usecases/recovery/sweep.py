"""The sweep: find what was left behind, repair it, and count what was repaired."""

import asyncio
import math
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

import structlog

from gcsched.domain.job import Job, State
from gcsched.domain.outcome import apply_acceptance, apply_lease_expiration, end_before_attempt
from gcsched.domain.retry import RetryPolicy
from gcsched.errors import RedisUnavailable, StoreRefused, StoreUnavailable
from gcsched.usecases.loops import sleep_unless
from gcsched.usecases.ports import (
    Claims,
    Clock,
    Conclusion,
    NullObserver,
    Observer,
    Orphan,
    RecoveryStore,
    RunStore,
    SentMarkerStore,
)
from gcsched.usecases.problem_log import REPEAT_AFTER_SECONDS, ProblemLog
from gcsched.usecases.recovery.daily_run import DailyRun
from gcsched.usecases.wakeups import HORIZON, WakeUps

EVERY = timedelta(seconds=10)
OVERDUE_AFTER = timedelta(seconds=12)
CHECK_EVERY = timedelta(seconds=2)
MAX_BATCH_SIZE = 500
SURELY_SCHEDULED = HORIZON - 2 * EVERY
CLOCK_TOLERANCE = timedelta(seconds=1)  # a clock a little fast may have picked this one already


class Repair(StrEnum):
    """What a sweep repairs; the names are those of the metrics.

    A second that comes inside the horizon is rung by the sweep, which is no repair. It is
    WAKE_UP_LOST when two sweeps should have rung it before this one and Redis does not have it: Redis
    was away or lost it, or whoever accepted its jobs died before ringing. IMPOSSIBLE is what the
    code never writes: SENDING without claim or lease, or a claim or lease without SENDING.
    """

    IMPOSSIBLE = "impossible_state"
    WAKE_UP_LOST = "second_not_rung"
    OVERDUE = "overdue"
    NOT_BEGUN = "lease_expired_not_begun"
    ACCEPTED = "lease_expired_accepted"
    UNCERTAIN = "lease_expired_uncertain"
    DAILY = "daily_run_missed"
    EXPIRED = "expired"


RepairCounts = dict[Repair, int]


@dataclass(slots=True, kw_only=True, eq=False)
class RepairLog:
    """Log what each sweep repaired; that jobs are overdue, every five minutes while they are.

    They are in every sweep while a relay is down, sending is paused or a rate limit holds them.
    """

    clock: Callable[[], float] = time.monotonic
    _overdue_at: float = field(default=-math.inf, init=False)

    def log(self, repaired: Mapping[str, int]) -> None:
        now = self.clock()
        is_old = now - self._overdue_at < REPEAT_AFTER_SECONDS
        if not repaired or (repaired.keys() == {Repair.OVERDUE.value} and is_old):
            return
        if Repair.OVERDUE.value in repaired:
            self._overdue_at = now
        structlog.get_logger().info("sweep repaired", **repaired)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Repair once, idempotently; any number of replicas may do it at any time."""

    claims: Claims
    recovery: RecoveryStore
    runs: RunStore
    sent_markers: SentMarkerStore
    daily_run: DailyRun
    wake_ups: WakeUps
    policy: RetryPolicy
    now: Clock
    observer: Observer = field(default_factory=NullObserver)
    repair_log: RepairLog = field(default_factory=RepairLog)
    _problem_log: ProblemLog = field(
        default_factory=partial(ProblemLog, event="sweep waits", end_event="sweep resumed"),
        init=False,
    )

    async def sweep_if_due(self, within: timedelta) -> None:
        """Sweep, unless some replica has done it *within* this time."""
        if await self.runs.begin_sweep(within=within, now=self.now()):
            await self.sweep()

    async def sweep(self) -> RepairCounts:
        """Do one pass; give what was repaired, by reason."""
        report: RepairCounts = {}
        refused: StoreRefused | None = None
        for step in (
            self._repair_states,
            self._check_unreadable,
            self._conclude_orphans,
            self._catch_up_daily_run,
            self._end_expired,
            self._wake_for_overdue,
            self._schedule_upcoming,
        ):
            try:
                await step(report)
            except StoreRefused as error:  # what stands in the way of one is not in that of all
                refused = error
        self._report(report)
        if refused is not None:
            raise refused
        return report

    async def _repair_states(self, report: RepairCounts) -> None:
        report[Repair.IMPOSSIBLE] = await self.recovery.repair(MAX_BATCH_SIZE)

    async def _check_unreadable(self, report: RepairCounts) -> None:
        ended = await self.recovery.check_unreadable(MAX_BATCH_SIZE)
        report[Repair.IMPOSSIBLE] = report.get(Repair.IMPOSSIBLE, 0) + ended

    async def _catch_up_daily_run(self, report: RepairCounts) -> None:
        report[Repair.DAILY] = await self.daily_run.catch_up()

    async def _wake_for_overdue(self, report: RepairCounts) -> None:
        now = self.now()
        if await self.claims.has_due_jobs(now=now):
            report[Repair.OVERDUE] = 1
            self.wake_ups.schedule(now)

    async def conclude_orphans(self) -> None:
        """Take back what died, and see to it that it is claimed: the urgent part of a sweep."""
        report: RepairCounts = {}
        await self._conclude_orphans(report)
        if any(report.values()):
            self._report(report)
            self.wake_ups.schedule(self.now())

    def _report(self, report: RepairCounts) -> None:
        repaired = {reason.value: count for reason, count in report.items() if count}
        for reason, count in repaired.items():
            self.observer.on_repair(reason, count)
        self.repair_log.log(repaired)

    async def _conclude_orphans(self, report: RepairCounts) -> None:
        while orphans := await self.recovery.find_orphans(MAX_BATCH_SIZE):
            accepted = await self._find_accepted(orphans)
            by_reason: dict[Repair, list[tuple[Orphan, Conclusion]]] = {}
            for orphan in orphans:
                conclusion = Conclusion(claim=orphan.claim, job=self._decide(orphan, accepted))
                repair = classify_repair(orphan, conclusion.job)
                by_reason.setdefault(repair, []).append((orphan, conclusion))
            taken = await self._write_conclusions(by_reason, report)
            if not taken or len(orphans) < MAX_BATCH_SIZE:
                return

    async def _write_conclusions(
        self, by_reason: dict[Repair, list[tuple[Orphan, Conclusion]]], report: RepairCounts
    ) -> int:
        """Write the conclusions of each reason; what is refused for one is not for all."""
        taken, refused = 0, None
        for repair, pairs in by_reason.items():
            try:
                count = await self.recovery.conclude_orphans(pairs)
            except StoreRefused as error:
                refused = error
                continue
            report[repair] = report.get(repair, 0) + count
            taken += count
        if refused is not None and not taken:
            raise refused
        return taken

    async def _schedule_upcoming(self, report: RepairCounts) -> None:
        """Ring the seconds inside the horizon; note how many of them were lost."""
        now = self.now()
        seconds = await self.recovery.find_due_seconds(now, now + HORIZON)
        start, end = (now + CLOCK_TOLERANCE).timestamp(), (now + SURELY_SCHEDULED).timestamp()
        lost = await self.wake_ups.find_lost([each for each in seconds if start < each <= end])
        for second in seconds:
            self.wake_ups.schedule(datetime.fromtimestamp(second, now.tzinfo))
        report[Repair.WAKE_UP_LOST] = len(lost)

    async def _end_expired(self, report: RepairCounts) -> None:
        """End what waits for a gate that has been shut for too long, or for a claim."""
        late, now = await self.recovery.find_expired(MAX_BATCH_SIZE), self.now()
        decided = [end_before_attempt(job, suppression=None, now=now) for job in late]
        ended = [job for job in decided if job is not None]
        report[Repair.EXPIRED] = await self.recovery.expire(ended) if ended else 0

    async def _find_accepted(self, orphans: Sequence[Orphan]) -> Collection[tuple[str, str]]:
        begun = [(orphan.job.id, orphan.claim) for orphan in orphans if orphan.begun is not None]
        if not begun:
            return ()
        try:
            return await self.sent_markers.find(begun)
        except RedisUnavailable:
            return ()

    def _decide(self, orphan: Orphan, accepted: Collection[tuple[str, str]]) -> Job:
        now = self.now()
        if orphan.begun is not None and (orphan.job.id, orphan.claim) in accepted:
            return apply_acceptance(orphan.job, begun=orphan.begun, now=now)
        return apply_lease_expiration(orphan.job, begun=orphan.begun, policy=self.policy, now=now)

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep when no replica has for a while: so it is done without Redis too.

        Expired leases are looked for each time: a mail of a process that died has waited already.
        """
        while not stop.is_set():
            wait = CHECK_EVERY * random.uniform(0.8, 1.2)  # noqa: S311  # jitter, no secret
            await sleep_unless(stop, wait.total_seconds())
            if not stop.is_set():
                await self.try_sweep(OVERDUE_AFTER)

    async def try_sweep(self, within: timedelta) -> None:
        """Sweep if unseen; a store that is away is tried again at the next time."""
        try:
            await self.conclude_orphans()
            await self.sweep_if_due(within)
        except StoreUnavailable as error:
            self._problem_log.record_failure(error.for_log)
        else:
            self._problem_log.record_success()


def classify_repair(orphan: Orphan, job: Job) -> Repair:
    if orphan.begun is None:
        return Repair.NOT_BEGUN
    return Repair.ACCEPTED if job.state is State.SENT else Repair.UNCERTAIN
