"""ARQ pools that keep what they heard, and the bell that wakes them."""

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

from gcsched.adapters.redis.arq import ArqBell, ArqWorkerPool, Tasks
from gcsched.adapters.redis.arq_client import open_arq
from gcsched.domain.due import DailyPlan
from tests.support.stores import OwnServer
from tests.support.wait import until

LONG_AGO = 1_672_531_200


NOT_NOW = DailyPlan(at=dt.time(3, 33), zone=ZoneInfo("UTC"))


def now() -> datetime:
    return datetime.now(UTC)


def second(ahead: float = 0.0) -> int:
    return int(time.time() + ahead)


async def nothing() -> None:
    """Do what most tests want at a sweep and after a wake-up."""


@dataclass(kw_only=True)
class Heard:
    """What the workers were told."""

    wakes: list[int] = field(default_factory=list)
    sweeps: list[float] = field(default_factory=list)
    daily_runs: list[float] = field(default_factory=list)
    after_wake: Callable[[], Awaitable[None]] = nothing

    def tasks(self) -> Tasks:
        return Tasks(
            on_wake=self.wakes.append,
            after_wake=self._after_wake,
            sweep=self._sweep,
            daily_run=self._daily_run,
        )

    async def _after_wake(self) -> None:
        await self.after_wake()

    async def _sweep(self) -> None:
        self.sweeps.append(time.time())

    async def _daily_run(self) -> None:
        self.daily_runs.append(time.time())


class WakesOnly(ArqWorkerPool):
    """A pool without crons: they come when the clock says so, in the middle of any test."""

    def _crons(self) -> list[CronJob]:
        return []


def a_quiet_pool(url: str, heard: Heard) -> ArqWorkerPool:
    return WakesOnly(
        connect=partial(open_arq, url), tasks=heard.tasks(), daily=NOT_NOW, max_jobs=5, now=now
    )


def a_pool(url: str, heard: Heard, *, daily: DailyPlan = NOT_NOW) -> ArqWorkerPool:
    return ArqWorkerPool(
        connect=partial(open_arq, url), tasks=heard.tasks(), daily=daily, max_jobs=5, now=now
    )


@asynccontextmanager
async def bell_at(url: str) -> AsyncIterator[ArqBell]:
    client = open_arq(url)
    try:
        yield ArqBell(redis=client, now=now)
    finally:
        await client.aclose(close_connection_pool=True)


def keys(url: str) -> set[str]:
    with redis.Redis.from_url(url, decode_responses=True) as raw:
        return set(raw.scan_iter())


async def wakes_again(server: OwnServer, heard: Heard) -> bool:
    before = len(heard.wakes)

    async def is_heard() -> bool:
        async with bell_at(server.uri) as bell:
            await bell.ring(second())
        return len(heard.wakes) > before

    return await until(is_heard, every=0.1)
