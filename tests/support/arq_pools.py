"""ARQ pools that record what they receive, and the queue that wakes them."""

import datetime as dt
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

import redis
from arq.cron import CronJob

from gcsched.adapters.redis.arq import ArqTasks, ArqWakeUpQueue, ArqWorkerPool
from gcsched.adapters.redis.arq_client import open_arq
from gcsched.domain.due import DailyPlan
from tests.support.stores import OwnServer
from tests.support.wait import until

LONG_AGO = 1_672_531_200


NOT_NOW = DailyPlan(at=dt.time(3, 33), zone=ZoneInfo("UTC"))


def now() -> datetime:
    return datetime.now(UTC)


def unix_second(ahead: float = 0.0) -> int:
    return int(time.time() + ahead)


async def do_nothing() -> None:
    """Do nothing at a sweep or after a wake-up."""


@dataclass(kw_only=True)
class ReceivedWakeUps:
    """The wake-ups, sweeps and daily runs that the workers received."""

    seconds: list[int] = field(default_factory=list)
    sweeps: list[float] = field(default_factory=list)
    daily_runs: list[float] = field(default_factory=list)
    after_wake_up: Callable[[], Awaitable[None]] = do_nothing

    def tasks(self) -> ArqTasks:
        return ArqTasks(
            on_wake_up=self.seconds.append,
            after_wake_up=self._after_wake_up,
            sweep=self._sweep,
            daily_run=self._daily_run,
        )

    async def _after_wake_up(self) -> None:
        await self.after_wake_up()

    async def _sweep(self) -> None:
        self.sweeps.append(time.time())

    async def _daily_run(self) -> None:
        self.daily_runs.append(time.time())


class PoolWithoutCrons(ArqWorkerPool):
    """A pool without crons: they run by the clock, in the middle of any test."""

    def _crons(self) -> list[CronJob]:
        return []


def a_pool_without_crons(url: str, received: ReceivedWakeUps) -> ArqWorkerPool:
    return PoolWithoutCrons(
        connect=partial(open_arq, url), tasks=received.tasks(), daily=NOT_NOW, max_jobs=5, now=now
    )


def an_arq_pool(
    url: str, received: ReceivedWakeUps, *, daily: DailyPlan = NOT_NOW
) -> ArqWorkerPool:
    return ArqWorkerPool(
        connect=partial(open_arq, url), tasks=received.tasks(), daily=daily, max_jobs=5, now=now
    )


@asynccontextmanager
async def wake_ups_at(url: str) -> AsyncIterator[ArqWakeUpQueue]:
    client = open_arq(url)
    try:
        yield ArqWakeUpQueue(redis=client, now=now)
    finally:
        await client.aclose(close_connection_pool=True)


def keys(url: str) -> set[str]:
    with redis.Redis.from_url(url, decode_responses=True) as raw:
        return set(raw.scan_iter())


async def receives_again(server: OwnServer, received: ReceivedWakeUps) -> bool:
    before = len(received.seconds)

    async def is_received() -> bool:
        async with wake_ups_at(server.uri) as wake_ups:
            await wake_ups.enqueue(unix_second())
        return len(received.seconds) > before

    return await until(is_received, every=0.1)
