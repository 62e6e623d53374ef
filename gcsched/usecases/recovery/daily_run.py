"""The daily run: makes all jobs queued for it due; once a day, and later if it was missed."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import structlog

from gcsched.domain.due import DailyPlan
from gcsched.usecases.ports import Clock, OnCount, RunStore, ignore_count
from gcsched.usecases.wakeups import WakeUps

BATCH_SIZE = 5_000  # a statement has to finish within its time limit
END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyRun:
    """Makes QUEUED jobs due."""

    runs: RunStore
    plan: DailyPlan
    wake_ups: WakeUps
    keep_trying: timedelta
    now: Clock

    async def run(self) -> int:
        """Run for the latest day whose time has come, unless it has run; return how many moved."""
        now = self.now()
        day = self.plan.last_run_day(now)
        if not await self.runs.begin_daily(day, now=now):
            return 0
        return await self._move(day)

    async def catch_up(self) -> int:
        """Run for jobs that an earlier run left: it was missed, interrupted, or they came late."""
        now = self.now()
        day = self.plan.last_run_day(now)
        if not await self.runs.has_queued(until=self.plan.run_time(day)):
            return 0
        await self.runs.begin_daily(day, now=now)
        return await self._move(day)

    async def run_now(self, *, on_count: OnCount = ignore_count) -> int:
        """Make all queued jobs due now, without waiting for their day; return how many moved.

        *on_count* is called with their number so far after each batch. The day's own run still
        takes place, for jobs that are queued later.
        """
        started = self.now()
        moved = await self._make_due(until=END_OF_TIME, on_count=on_count)
        await self.runs.record_manual(moved, started=started, now=self.now())
        structlog.get_logger().info("daily queue run by hand", moved=moved)
        return moved

    async def _move(self, day: date) -> int:
        moved = await self._make_due(until=self.plan.run_time(day))
        await self.runs.finish_daily(day, moved, now=self.now().replace(microsecond=0))
        structlog.get_logger().info("daily run finished", day=day.isoformat(), moved=moved)
        return moved

    async def _make_due(self, *, until: datetime, on_count: OnCount = ignore_count) -> int:
        # The write matches the state QUEUED, so two runs at the same time move each job once.
        now, moved = self.now().replace(microsecond=0), 0
        while True:
            found, count = await self.runs.move_queued(
                until=until, now=now, not_after=now + self.keep_trying, most=BATCH_SIZE
            )
            moved += count
            on_count(moved)
            if count:
                self.wake_ups.schedule(now)
            # By *found*, not *count*: other processes may have moved the rest of a full batch.
            if found < BATCH_SIZE:
                return moved
