"""The sweep: finds jobs that were left behind, repairs them, and counts the repairs."""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
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
OVERDUE_AFTER = timedelta(seconds=12)  # ARQ's sweep comes every 10 s; this one covers its absence
CHECK_EVERY = timedelta(seconds=2)
MAX_BATCH_SIZE = 500
SURELY_SCHEDULED = HORIZON - 2 * EVERY
CLOCK_TOLERANCE = timedelta(seconds=1)  # a process with a fast clock may have taken this one


class Repair(StrEnum):
    """A kind of repair by the sweep; the values are labels of metrics.

    A second that comes within HORIZON is scheduled by the sweep, which is not a repair.
    WAKE_UP_LOST is a second that two earlier sweeps should have scheduled and that Redis does not
    have: Redis was away or lost it, or the process that accepted its jobs died before scheduling
    it. IMPOSSIBLE is a state that the code never writes: SENDING without a claim or lease, or a
    claim or lease without SENDING.
    """

    IMPOSSIBLE = "impossible_state"
    WAKE_UP_LOST = "wake_up_lost"
    OVERDUE = "overdue"
    NOT_BEGUN = "lease_expired_not_begun"
    ACCEPTED = "lease_expired_accepted"
    UNCERTAIN = "lease_expired_uncertain"
    DAILY = "daily_run_missed"
    EXPIRED = "expired"


RepairCounts = dict[Repair, int]

CheckMeetings = Callable[[], Awaitable[object]]


async def check_nothing() -> None:
    """Do nothing: the default where meetings are not looked at."""


@dataclass(slots=True, kw_only=True, eq=False)
class RepairLog:
    """Logs what each sweep repaired; overdue jobs only every five minutes.

    They show up in every sweep while a relay is down, sending is paused or a rate limit holds them.
    """

    clock: Callable[[], float] = time.monotonic
    _overdue_at: float = field(default=-math.inf, init=False)

    def log(self, repaired: Mapping[str, int]) -> None:
        now = self.clock()
        was_logged_lately = now - self._overdue_at < REPEAT_AFTER_SECONDS
        if not repaired or (repaired.keys() == {Repair.OVERDUE.value} and was_logged_lately):
            return
        if Repair.OVERDUE.value in repaired:
            self._overdue_at = now
        structlog.get_logger().info("sweep repaired", **repaired)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Repairs once, idempotently; any number of replicas may sweep at any time.

    *check_meetings* looks at the meetings whose mails have to be looked at by now.
    """

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
    check_meetings: CheckMeetings = check_nothing
    _problem_log: ProblemLog = field(
        default_factory=partial(
            ProblemLog, event="sweep failed, retrying", end_event="sweep resumed"
        ),
        init=False,
    )

    async def sweep_if_due(self, within: timedelta) -> None:
        """Sweep, unless another replica has done so *within* this time."""
        if await self.runs.begin_sweep(within=within, now=self.now()):
            await self.sweep()

    async def sweep(self) -> RepairCounts:
        """Make one pass; return the number of repairs by reason."""
        report: RepairCounts = {}
        refused: StoreRefused | None = None
        # Orphans before expired and overdue jobs: what becomes due by them is found in this pass.
        for step in (
            self._repair_states,
            self._check_unreadable,
            self._conclude_orphans,
            self._catch_up_daily_run,
            self._end_expired,
            self._wake_for_overdue,
            self._schedule_upcoming,
            self._check_meetings,
        ):
            try:
                await step(report)
            except StoreRefused as error:  # one document or index: the other steps still run
                refused = error
        self._report(report)
        if refused is not None:
            raise refused
        return report

    async def _repair_states(self, report: RepairCounts) -> None:
        report[Repair.IMPOSSIBLE] = await self.recovery.repair(MAX_BATCH_SIZE)

    async def _check_meetings(self, _: RepairCounts) -> None:
        await self.check_meetings()

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
        """Conclude jobs whose lease expired, so that they are claimed again: the urgent part."""
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
            # Without progress the same orphans would be found again.
            if not taken or len(orphans) < MAX_BATCH_SIZE:
                return

    async def _write_conclusions(
        self, by_reason: dict[Repair, list[tuple[Orphan, Conclusion]]], report: RepairCounts
    ) -> int:
        """Write the conclusions of each reason; a refused write does not stop the others."""
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
        """Schedule the seconds within HORIZON; count how many of them were lost."""
        now = self.now()
        seconds = await self.recovery.find_due_seconds(now, now + HORIZON)
        start, end = (now + CLOCK_TOLERANCE).timestamp(), (now + SURELY_SCHEDULED).timestamp()
        lost = await self.wake_ups.find_lost([each for each in seconds if start < each <= end])
        for second in seconds:
            self.wake_ups.schedule(datetime.fromtimestamp(second, now.tzinfo))
        report[Repair.WAKE_UP_LOST] = len(lost)

    async def _end_expired(self, report: RepairCounts) -> None:
        """End jobs that have waited past their expire time for a shut gate or a claim."""
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
            return ()  # without markers the jobs are UNCERTAIN

    def _decide(self, orphan: Orphan, accepted: Collection[tuple[str, str]]) -> Job:
        now = self.now()
        if orphan.begun is not None and (orphan.job.id, orphan.claim) in accepted:
            return apply_acceptance(orphan.job, begun=orphan.begun, now=now)
        return apply_lease_expiration(orphan.job, begun=orphan.begun, policy=self.policy, now=now)

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep when no replica has for 12 s, so that sweeps take place without Redis too.

        Expired leases are concluded each time: the mail of a process that died has waited long
        enough.
        """
        while not stop.is_set():
            wait = CHECK_EVERY * random.uniform(0.8, 1.2)  # noqa: S311  # jitter, not a secret
            await sleep_unless(stop, wait.total_seconds())
            if not stop.is_set():
                await self.try_sweep(OVERDUE_AFTER)

    async def try_sweep(self, within: timedelta) -> None:
        """Sweep if it is due; if the store is away, the next run tries again."""
        try:
            await self.conclude_orphans()
            await self.sweep_if_due(within)
        except StoreUnavailable as error:
            self._problem_log.record_failure(error.for_log)
        else:
            self._problem_log.record_success()


def classify_repair(orphan: Orphan, job: Job) -> Repair:
    """Return the reason under which an orphan's conclusion is counted."""
    if orphan.begun is None:
        return Repair.NOT_BEGUN
    return Repair.ACCEPTED if job.state is State.SENT else Repair.UNCERTAIN
