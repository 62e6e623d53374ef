"""ARQ: the bell that wakes processes, and the crons. Only this and `arq_client` know it.

ARQ 0.28 is in maintenance mode and its loop ends when Redis goes away, so it is supervised here
and carries nothing: what is due is asked of the database.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.cron import CronJob, cron
from arq.worker import Worker, func

from gcsched.adapters.redis.advice import describe_redis_error
from gcsched.adapters.redis.arq_client import DAILY, QUEUE, SWEEP, WAKE, pack_job, unpack_job
from gcsched.adapters.redis.connection import close, redis_errors
from gcsched.adapters.redis.replies import expect_values
from gcsched.domain.due import DailyPlan
from gcsched.errors import GcschedError
from gcsched.usecases.loops import cancel_until_done, retrieve_task_exception, sleep_unless
from gcsched.usecases.ports import Clock
from gcsched.usecases.problem_log import ProblemLog

HEALTH_KEY = "gcsched:health"
TIMEOUT = timedelta(seconds=5)
CRON_TIMEOUT = timedelta(seconds=60)
HEALTH_EVERY = timedelta(seconds=10)
POLLS_PER_SECOND = 4
POLL_OFFSET_SECONDS = 0.002
FIRST_BACK_OFF, MAX_BACK_OFF = 0.5, 5.0
POLLS_UNTIL_HEALTHY = (
    4  # the first one writes to Redis, and a job that cannot be run ends the second
)
MAX_FAILING_POLLS = 8  # two seconds of them; sweeps are completed every ten
CLOSE_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ArqWakeUpQueue:
    """Ring by a deferred job whose id is its second: a thousand rings of one second are one job."""

    redis: ArqRedis
    now: Clock

    async def enqueue(self, second: int) -> None:
        """Wake some process at Unix *second*; raises RedisUnavailable."""
        # A time in the past would make ARQ's PSETEX fail.
        until = datetime.fromtimestamp(second, UTC) if second > self.now().timestamp() else None
        with redis_errors("ringing the bell"):
            await self.redis.enqueue_job(
                WAKE, second, _job_id=f"{WAKE}:{second}", _defer_until=until
            )

    async def find_missing(self, seconds: Collection[int]) -> Collection[int]:
        """Give those of *seconds* that Redis does not have; raises RedisUnavailable."""
        asked = list(seconds)
        with redis_errors("looking for what was rung"):
            keys = [f"{job_key_prefix}{WAKE}:{each}" for each in asked]
            jobs = expect_values(await self.redis.mget(keys), len(keys))
        return {second for second, job in zip(asked, jobs, strict=True) if job is None}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArqTasks:
    """What ARQ calls: all short, none waits for a relay."""

    on_wake_up: Callable[[int], object]
    after_wake_up: Callable[[], Awaitable[None]]
    sweep: Callable[[], Awaitable[object]]
    daily_run: Callable[[], Awaitable[object]]


class TooManyFailures(Exception):
    """Redis gives the worker jobs that cannot be run, again and again."""


class AlignedWorker(Worker):
    """Poll just after each quarter of a second: due times are whole seconds.

    A failed job is a few lines of log. So a worker whose jobs all fail ends: it is built anew after
    a pause.
    """

    def __init__(self, *, now: Clock, on_healthy: Callable[[], object], **options: Any) -> None:
        super().__init__(**options)
        self._now = now
        self._on_healthy = on_healthy

    async def main(self) -> None:
        retrieve_task_exception()
        self.ctx["redis"] = self.pool
        failing = polls = 0
        while True:
            complete, failed = self.jobs_complete, self.jobs_failed
            await self._poll_iteration()
            await asyncio.sleep(seconds_until_next_poll(self._now().timestamp()))
            failing = 0 if self.jobs_complete > complete else failing + (self.jobs_failed > failed)
            polls = 0 if failing else polls + 1
            if polls == POLLS_UNTIL_HEALTHY:
                self._on_healthy()
            if failing >= MAX_FAILING_POLLS:
                raise TooManyFailures(f"jobs failed in {failing} polls, and none was completed")

    # ARQ asks what became of a job in its next poll only; at the end of a worker there is none. And
    # it shields the record of a job's end: a cancel leaves that alone with a pool which is closed.

    async def run_job(self, *args: Any, **options: Any) -> None:
        retrieve_task_exception()
        await super().run_job(*args, **options)

    async def finish_job(self, *args: Any, **options: Any) -> None:
        retrieve_task_exception()
        await super().finish_job(*args, **options)

    async def finish_failed_job(self, *args: Any, **options: Any) -> None:
        retrieve_task_exception()
        await super().finish_failed_job(*args, **options)


def seconds_until_next_poll(now: float) -> float:
    """Give the seconds from *now* to just after the next quarter of a second."""
    step = 1 / POLLS_PER_SECOND
    return step - (now - POLL_OFFSET_SECONDS) % step


class ArqWorkerPool:
    """Keep one ARQ worker running: build it anew, with back-off, whenever its loop ends."""

    def __init__(
        self,
        *,
        connect: Callable[[], ArqRedis],
        tasks: ArqTasks,
        daily: DailyPlan,
        max_jobs: int,
        now: Clock,
    ) -> None:
        self._now = now
        self._connect = connect
        self._tasks = tasks
        self._daily = daily
        self._max_jobs = max_jobs
        self.problem: str | None = None
        """What ended the latest worker, until one has lived for a second; None: nothing."""
        self._failures = ProblemLog(event="arq worker ended", end_event="arq worker lives again")

    async def run(self, stop: asyncio.Event) -> None:
        back_off = FIRST_BACK_OFF
        while not stop.is_set():
            begun = time.monotonic()
            error = await self._run_once(stop)
            if stop.is_set():
                return
            why = "it ended by itself" if error is None else describe_redis_error(error)
            self.problem = f"takes no wake-ups: a worker ended: {why}"
            lasted = time.monotonic() - begun
            back_off = FIRST_BACK_OFF if lasted > MAX_BACK_OFF else back_off
            kind = type(error).__name__
            self._failures.record_failure(kind, reason=why, again_in_seconds=back_off)
            await sleep_unless(stop, back_off)
            back_off = min(back_off * 2, MAX_BACK_OFF)

    async def _run_once(self, stop: asyncio.Event) -> BaseException | None:
        """Run one worker until *stop* or its end; give what ended it, or kept it from beginning."""
        built: list[Worker] = []
        running = asyncio.create_task(self._serve(built), name="arq worker")
        stopping = asyncio.create_task(stop.wait(), name="arq stop")
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            await cancel_until_done({running})
            for worker in built:
                await self._close(worker)
        return None if running.cancelled() else running.exception()

    async def _serve(self, built: list[Worker]) -> None:
        """Build a worker and run it; what either raises ends the task of this call, no more."""
        built.append(self._build())
        await built[0].async_run()

    async def _close(self, worker: Worker) -> None:
        """Cancel what still runs and close its connections.

        Not Worker.close(): it waits for the cancelled, raises what they raised, and leaves the
        connections open then.
        """
        for task in (unfinished := set(worker.tasks.values())):
            task.cancel()
        if unfinished:
            # ARQ lets a cancelled job end in order, and Redis may take its time for that.
            await asyncio.wait(unfinished, timeout=CLOSE_TIMEOUT_SECONDS)
        await close(worker.pool)

    def _build(self) -> Worker:
        return AlignedWorker(
            now=self._now,
            on_healthy=self._on_healthy,
            functions=[func(make_arq_function(self._receive_wake_up), name=WAKE, max_tries=3)],
            cron_jobs=self._crons(),
            redis_pool=self._connect(),
            queue_name=QUEUE,
            handle_signals=False,
            after_job_end=make_arq_function(self._tasks.after_wake_up),
            max_jobs=self._max_jobs,
            job_timeout=TIMEOUT,
            keep_result=0,
            max_tries=3,
            health_check_interval=HEALTH_EVERY,
            health_check_key=HEALTH_KEY,
            job_serializer=pack_job,
            job_deserializer=unpack_job,
            timezone=self._daily.zone,
            log_results=False,
        )

    def _on_healthy(self) -> None:
        self.problem = None
        self._failures.record_success()

    async def _receive_wake_up(self, second: object) -> None:
        if type(second) is int:  # anything else in Redis is not a wake-up of ours
            self._tasks.on_wake_up(second)

    def _crons(self) -> list[CronJob]:
        at = self._daily.at
        every_ten = set(range(0, 60, 10))
        return [
            cron(
                make_arq_function(self._tasks.sweep),
                name=SWEEP,
                second=every_ten,
                timeout=CRON_TIMEOUT,
            ),
            cron(
                make_arq_function(self._tasks.daily_run),
                name=DAILY,
                hour=at.hour,
                minute=at.minute,
                second=at.second,
                timeout=CRON_TIMEOUT,
            ),
        ]


def make_arq_function(task: Callable[..., Awaitable[object]]) -> Any:
    """Make of *task* what ARQ calls: it passes its context first, which nothing here needs."""

    async def call(_: dict[Any, Any], *args: Any) -> None:
        retrieve_task_exception()  # of what is cancelled, ARQ does not ask how it ended
        # Stores that are away are no news here: the next wake-up or sweep tries again.
        with suppress(GcschedError):
            await task(*args)

    return call
