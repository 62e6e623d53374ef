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
from gcsched.domain.outcome import before_attempt, proven, taken_back
from gcsched.domain.retry import RetryPolicy
from gcsched.errors import BellUnavailable, StoreRefused, StoreUnavailable
from gcsched.usecases.lasting_trouble import EVERY_SECONDS, LastingTrouble
from gcsched.usecases.loops import sleep_unless
from gcsched.usecases.ports import (
    Claims,
    Clock,
    Conclusion,
    Marks,
    Observer,
    Orphan,
    Recovery,
    Runs,
    Unobserved,
)
from gcsched.usecases.recovery.daily_run import DailyRun
from gcsched.usecases.wakeups import HORIZON, Ringer

EVERY = timedelta(seconds=10)
UNSEEN_AFTER = timedelta(seconds=12)
LOOK_EVERY = timedelta(seconds=2)
MOST_AT_ONCE = 500
SURELY_RUNG = HORIZON - 2 * EVERY
AT_ONCE = timedelta(seconds=1)  # a clock a little fast may have picked this one already


class Repair(StrEnum):
    """What a sweep repairs; the names are those of the metrics.

    A second that comes inside the horizon is rung by the sweep, which is no repair. It is
    NOT_RUNG when two sweeps should have rung it before this one and Redis does not have it: Redis
    was away or lost it, or whoever accepted its jobs died before ringing. IMPOSSIBLE is what the
    code never writes: SENDING without claim or lease, or a claim or lease without SENDING.
    """

    IMPOSSIBLE = "impossible_state"
    NOT_RUNG = "second_not_rung"
    OVERDUE = "overdue"
    NOT_BEGUN = "lease_expired_not_begun"
    ACCEPTED = "lease_expired_accepted"
    UNCERTAIN = "lease_expired_uncertain"
    DAILY = "daily_run_missed"
    EXPIRED = "expired"


Report = dict[Repair, int]


@dataclass(slots=True, kw_only=True, eq=False)
class RepairLog:
    """Log what each sweep repaired; that jobs are overdue, every five minutes while they are.

    They are in every sweep while a relay is down, sending is paused or a rate limit holds them.
    """

    clock: Callable[[], float] = time.monotonic
    _overdue_at: float = field(default=-math.inf, init=False)

    def log(self, repaired: Mapping[str, int]) -> None:
        now = self.clock()
        is_old = now - self._overdue_at < EVERY_SECONDS
        if not repaired or (repaired.keys() == {Repair.OVERDUE.value} and is_old):
            return
        if Repair.OVERDUE.value in repaired:
            self._overdue_at = now
        structlog.get_logger().info("sweep repaired", **repaired)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Repair once, idempotently; any number of replicas may do it at any time."""

    claims: Claims
    recovery: Recovery
    runs: Runs
    marks: Marks
    daily_run: DailyRun
    ringer: Ringer
    policy: RetryPolicy
    now: Clock
    observer: Observer = field(default_factory=Unobserved)
    log: RepairLog = field(default_factory=RepairLog)
    _trouble: LastingTrouble = field(
        default_factory=partial(LastingTrouble, event="sweep waits", over="sweep resumed"),
        init=False,
    )

    async def if_unseen(self, within: timedelta) -> None:
        """Sweep, unless some replica has done it *within* this time."""
        if await self.runs.sweep_is_new(within=within, now=self.now()):
            await self()

    async def __call__(self) -> Report:
        """Do one pass; give what was repaired, by reason."""
        report: Report = {}
        refused: StoreRefused | None = None
        for step in (
            self._put_right,
            self._look_at_unreadable,
            self._take_back_orphans,
            self._make_up,
            self._end_what_is_too_late,
            self._ring_what_is_due,
            self._ring_what_comes,
        ):
            try:
                await step(report)
            except StoreRefused as error:  # what stands in the way of one is not in that of all
                refused = error
        self._tell(report)
        if refused is not None:
            raise refused
        return report

    async def _put_right(self, report: Report) -> None:
        report[Repair.IMPOSSIBLE] = await self.recovery.put_right(MOST_AT_ONCE)

    async def _look_at_unreadable(self, report: Report) -> None:
        ended = await self.recovery.look_at_unreadable(MOST_AT_ONCE)
        report[Repair.IMPOSSIBLE] = report.get(Repair.IMPOSSIBLE, 0) + ended

    async def _make_up(self, report: Report) -> None:
        report[Repair.DAILY] = await self.daily_run.make_up()

    async def _ring_what_is_due(self, report: Report) -> None:
        now = self.now()
        if await self.claims.next_due(now=now):
            report[Repair.OVERDUE] = 1
            self.ringer.ask(now)

    async def take_back(self) -> None:
        """Take back what died, and see to it that it is claimed: the urgent part of a sweep."""
        report: Report = {}
        await self._take_back_orphans(report)
        if any(report.values()):
            self._tell(report)
            self.ringer.ask(self.now())

    def _tell(self, report: Report) -> None:
        repaired = {reason.value: count for reason, count in report.items() if count}
        for reason, count in repaired.items():
            self.observer.repaired(reason, count)
        self.log.log(repaired)

    async def _take_back_orphans(self, report: Report) -> None:
        while orphans := await self.recovery.orphans(MOST_AT_ONCE):
            accepted = await self._accepted(orphans)
            by_reason: dict[Repair, list[tuple[Orphan, Conclusion]]] = {}
            for orphan in orphans:
                conclusion = Conclusion(claim=orphan.claim, job=self._decide(orphan, accepted))
                repair = reason_of(orphan, conclusion.job)
                by_reason.setdefault(repair, []).append((orphan, conclusion))
            taken = await self._take_back(by_reason, report)
            if not taken or len(orphans) < MOST_AT_ONCE:
                return

    async def _take_back(
        self, by_reason: dict[Repair, list[tuple[Orphan, Conclusion]]], report: Report
    ) -> int:
        """Write the conclusions of each reason; what is refused for one is not for all."""
        taken, refused = 0, None
        for repair, pairs in by_reason.items():
            try:
                count = await self.recovery.take_back(pairs)
            except StoreRefused as error:
                refused = error
                continue
            report[repair] = report.get(repair, 0) + count
            taken += count
        if refused is not None and not taken:
            raise refused
        return taken

    async def _ring_what_comes(self, report: Report) -> None:
        """Ring the seconds inside the horizon; note how many of them were lost."""
        now = self.now()
        seconds = await self.recovery.seconds_due(now, now + HORIZON)
        begin, end = (now + AT_ONCE).timestamp(), (now + SURELY_RUNG).timestamp()
        lost = await self.ringer.lost([each for each in seconds if begin < each <= end])
        for second in seconds:
            self.ringer.ask(datetime.fromtimestamp(second, now.tzinfo))
        report[Repair.NOT_RUNG] = len(lost)

    async def _end_what_is_too_late(self, report: Report) -> None:
        """End what waits for a gate that has been shut for too long, or for a claim."""
        late, now = await self.recovery.too_late(MOST_AT_ONCE), self.now()
        judged = [before_attempt(job, suppression=None, now=now) for job in late]
        ended = [job for job in judged if job is not None]
        report[Repair.EXPIRED] = await self.recovery.end(ended) if ended else 0

    async def _accepted(self, orphans: Sequence[Orphan]) -> Collection[tuple[str, str]]:
        begun = [(o.job.id, o.claim) for o in orphans if o.begun is not None]
        if not begun:
            return ()
        try:
            return await self.marks.noted(begun)
        except BellUnavailable:
            return ()

    def _decide(self, orphan: Orphan, accepted: Collection[tuple[str, str]]) -> Job:
        now = self.now()
        if orphan.begun is not None and (orphan.job.id, orphan.claim) in accepted:
            return proven(orphan.job, begun=orphan.begun, now=now)
        return taken_back(orphan.job, begun=orphan.begun, policy=self.policy, now=now)

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep when no replica has for a while: so it is done without Redis too.

        Expired leases are looked for each time: a mail of a process that died has waited already.
        """
        while not stop.is_set():
            wait = LOOK_EVERY * random.uniform(0.8, 1.2)  # noqa: S311  # jitter, no secret
            await sleep_unless(stop, wait.total_seconds())
            if not stop.is_set():
                await self.guarded(UNSEEN_AFTER)

    async def guarded(self, within: timedelta) -> None:
        """Sweep if unseen; a store that is away is tried again at the next time."""
        try:
            await self.take_back()
            await self.if_unseen(within)
        except StoreUnavailable as error:
            self._trouble.met(error.for_log)
        else:
            self._trouble.ended()


def reason_of(orphan: Orphan, job: Job) -> Repair:
    if orphan.begun is None:
        return Repair.NOT_BEGUN
    return Repair.ACCEPTED if job.state is State.SENT else Repair.UNCERTAIN
