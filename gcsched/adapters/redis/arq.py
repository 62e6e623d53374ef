"""The ARQ worker: it receives wake-ups and runs the crons. Only this and `arq_client` use ARQ.

ARQ 0.28 is in maintenance mode and its loop ends when Redis goes away. So the worker is supervised
here, and a wake-up carries no data: the database says which jobs are due.
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
WAKE_UP_TIMEOUT = timedelta(seconds=5)
CRON_TIMEOUT = timedelta(seconds=60)
HEALTH_CHECK_INTERVAL = timedelta(seconds=10)
POLLS_PER_SECOND = 4
POLL_OFFSET_SECONDS = 0.002  # a poll that comes early finds nothing and wastes a quarter second
FIRST_BACK_OFF_SECONDS, MAX_BACK_OFF_SECONDS = 0.5, 5.0
# Not the first polls: the first one only writes to Redis, and in the second one the worker ends if
# Redis refuses what ARQ does with a job.
POLLS_UNTIL_HEALTHY = 4
MAX_FAILING_POLLS = 8  # two seconds of polls; a sweep completes every ten seconds
CLOSE_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ArqWakeUpQueue:
    """Enqueue wake-ups as deferred ARQ jobs.

    A job's id is its second, so a thousand wake-ups for one second are one job.
    """

    redis: ArqRedis
    now: Clock

    async def enqueue(self, second: int) -> None:
        """Wake one process at Unix *second*. Raises RedisUnavailable."""
        # For a time in the past ARQ would send PSETEX a negative expiry, which Redis refuses.
        until = datetime.fromtimestamp(second, UTC) if second > self.now().timestamp() else None
        with redis_errors("enqueuing a wake-up"):
            await self.redis.enqueue_job(
                WAKE, second, _job_id=f"{WAKE}:{second}", _defer_until=until
            )

    async def find_missing(self, seconds: Collection[int]) -> Collection[int]:
        """Return those of *seconds* without a wake-up in Redis. Raises RedisUnavailable."""
        ordered = list(seconds)
        with redis_errors("looking for wake-ups"):
            keys = [f"{job_key_prefix}{WAKE}:{each}" for each in ordered]
            jobs = expect_values(await self.redis.mget(keys), len(keys))
        return {second for second, job in zip(ordered, jobs, strict=True) if job is None}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArqTasks:
    """The functions that ARQ calls: all are short, and none waits for a relay."""

    on_wake_up: Callable[[int], object]
    after_wake_up: Callable[[], Awaitable[None]]
    sweep: Callable[[], Awaitable[object]]
    daily_run: Callable[[], Awaitable[object]]


class TooManyFailures(Exception):
    """Redis keeps giving the worker jobs that cannot be run."""


class AlignedWorker(Worker):
    """An ARQ worker that polls just after each quarter of a second, as due times are whole seconds.

    Each failed job costs a few log lines. So a worker whose jobs all fail ends, and the pool builds
    another one after a pause.
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
            # A poll without jobs changes nothing: only a completed job proves that jobs can be run.
            failing = 0 if self.jobs_complete > complete else failing + (self.jobs_failed > failed)
            polls = 0 if failing else polls + 1
            if polls == POLLS_UNTIL_HEALTHY:
                self._on_healthy()
            if failing >= MAX_FAILING_POLLS:
                raise TooManyFailures(f"jobs failed in {failing} polls, and no job completed")

    # ARQ retrieves the exception of a job's task in its next poll, and a worker that ends has no
    # next poll. It also shields the write of a job's end from cancellation, so that write may
    # outlive the worker and fail on a closed pool. asyncio would log both as never retrieved.

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
    """Return the seconds from *now* to just after the next quarter of a second."""
    step = 1 / POLLS_PER_SECOND
    return step - (now - POLL_OFFSET_SECONDS) % step


class ArqWorkerPool:
    """Keeps one ARQ worker running: after a back-off, builds another one when its loop ends."""

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
        """Why the latest worker ended, until another one has run for a second; None: no problem."""
        self._failures = ProblemLog(event="arq worker ended", end_event="arq worker restarted")

    async def run(self, stop: asyncio.Event) -> None:
        back_off = FIRST_BACK_OFF_SECONDS
        while not stop.is_set():
            start = time.monotonic()
            error = await self._run_once(stop)
            if stop.is_set():
                return
            why = "its loop returned" if error is None else describe_redis_error(error)
            self.problem = f"no wake-ups are received: the worker ended: {why}"
            lasted = time.monotonic() - start
            back_off = FIRST_BACK_OFF_SECONDS if lasted > MAX_BACK_OFF_SECONDS else back_off
            kind = type(error).__name__
            self._failures.record_failure(kind, reason=why, retry_in_seconds=back_off)
            await sleep_unless(stop, back_off)
            back_off = min(back_off * 2, MAX_BACK_OFF_SECONDS)

    async def _run_once(self, stop: asyncio.Event) -> BaseException | None:
        """Run one worker until *stop* or its end; return the error that ended or prevented it."""
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
        """Build a worker and run it. Runs in a task of its own, which contains errors of both."""
        built.append(self._build_worker())
        await built[0].async_run()

    async def _close(self, worker: Worker) -> None:
        """Cancel the jobs of *worker* that still run and close its connections.

        Not Worker.close(): it raises what the cancelled jobs raised, and then leaves the
        connections open.
        """
        for task in (unfinished := set(worker.tasks.values())):
            task.cancel()
        if unfinished:
            # ARQ writes the end of a cancelled job to Redis, which may be slow or away.
            await asyncio.wait(unfinished, timeout=CLOSE_TIMEOUT_SECONDS)
        await close(worker.pool)

    def _build_worker(self) -> Worker:
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
            job_timeout=WAKE_UP_TIMEOUT,
            keep_result=0,
            max_tries=3,
            health_check_interval=HEALTH_CHECK_INTERVAL,
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
        if type(second) is int:  # another program may have written anything else
            self._tasks.on_wake_up(second)

    def _crons(self) -> list[CronJob]:
        at = self._daily.at
        every_ten_seconds = set(range(0, 60, 10))
        return [
            cron(
                make_arq_function(self._tasks.sweep),
                name=SWEEP,
                second=every_ten_seconds,
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
    """Wrap *task* for ARQ, which passes its context as the first argument."""

    async def call(_: dict[Any, Any], *args: Any) -> None:
        retrieve_task_exception()  # ARQ does not retrieve it from a task that it cancelled
        # A store that is away is logged elsewhere, and the next wake-up or sweep tries again.
        with suppress(GcschedError):
            await task(*args)

    return call
