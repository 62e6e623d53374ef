"""An ARQ worker pool stops in any state, and in any state of Redis."""

import asyncio
import gc
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pytest
import redis
from arq.connections import ArqRedis
from redis.asyncio import Connection
from structlog.testing import capture_logs

from gcsched.adapters.redis.arq import ArqWakeUpQueue
from gcsched.adapters.redis.arq_client import open_arq
from tests.support.arq_pools import (
    LONG_AGO,
    NOT_NOW,
    PoolWithoutCrons,
    ReceivedWakeUps,
    an_arq_pool,
    keys,
    now,
    receives_again,
    wake_ups_at,
)
from tests.support.background import in_background
from tests.support.stores import own_valkey
from tests.support.wait import until


async def test_an_idle_pool_stops_at_once_and_leaves_no_connection(
    received: ReceivedWakeUps, redis_url: str
) -> None:
    def connections() -> int:
        with redis.Redis.from_url(redis_url) as raw:
            return len(raw.client_list()) - 1

    before = connections()
    async with in_background(an_arq_pool(redis_url, received).run):
        await until(lambda: "gcsched:health" in keys(redis_url))
        start = time.monotonic()

    assert time.monotonic() - start < 1
    await until(lambda: connections() <= before)  # other tests' may end as well


async def test_a_pool_in_the_middle_of_work_stops_within_a_second(
    wake_ups: ArqWakeUpQueue, received: ReceivedWakeUps, redis_url: str
) -> None:
    hanging = asyncio.Event()

    async def hang() -> None:
        hanging.set()
        await asyncio.Event().wait()

    received.after_wake_up = hang
    async with in_background(an_arq_pool(redis_url, received).run):
        await wake_ups.enqueue(LONG_AGO)
        await hanging.wait()
        start = time.monotonic()

    assert time.monotonic() - start < 1.2


@pytest.mark.parametrize("steps", range(8))
async def test_a_pool_that_is_stopped_while_it_sends_a_command_stops(
    received: ReceivedWakeUps, redis_url: str, steps: int
) -> None:
    """Up to Python 3.11 asyncio.wait_for misses a cancellation at the moment its work is done."""
    stop_now: list[asyncio.Event] = []

    def connect() -> ArqRedis:
        client = open_arq(redis_url)
        client.connection_pool.connection_class = StopsWhileSending
        return client

    class StopsWhileSending(Connection):
        async def _send_packed_command(self, command: Iterable[bytes]) -> None:
            await super()._send_packed_command(command)
            if stop_now:
                stop_now.pop().set()
                for _ in range(steps):
                    await asyncio.sleep(0)

    pool = PoolWithoutCrons(
        connect=connect, tasks=received.tasks(), daily=NOT_NOW, max_jobs=5, now=now
    )
    async with in_background(pool.run) as stop:
        await until(lambda: "gcsched:health" in keys(redis_url))
        stop_now.append(stop)
        await stop.wait()
        start = time.monotonic()

    assert time.monotonic() - start < 1


async def test_a_pool_stops_soon_while_redis_is_silent(
    received: ReceivedWakeUps, tmp_path: Path
) -> None:
    async with own_valkey(tmp_path) as server:
        async with in_background(an_arq_pool(server.uri, received).run):
            assert await receives_again(server, received)
            server.freeze()
            start = time.monotonic()

        assert time.monotonic() - start < 3
        server.resume()


@pytest.mark.parametrize("how", ["silent", "dead"])
async def test_a_stop_while_the_end_of_jobs_is_recorded_is_not_an_error(
    how: str, received: ReceivedWakeUps, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """ARQ shields that write, so it outlives the cancelled worker and finds a closed pool."""
    async with own_valkey(tmp_path) as server:
        seconds = [LONG_AGO + each for each in range(4)]

        async def take_redis_away() -> None:
            (server.freeze if how == "silent" else server.kill)()

        class WaitsForAllWakeUps(PoolWithoutCrons):
            async def _receive_wake_up(self, second: object) -> None:
                await super()._receive_wake_up(second)
                await until(lambda: len(received.seconds) == len(seconds))
                await take_redis_away()

        pool = WaitsForAllWakeUps(
            connect=partial(open_arq, server.uri),
            tasks=received.tasks(),
            daily=NOT_NOW,
            max_jobs=5,
            now=now,
        )
        async with wake_ups_at(server.uri) as wake_ups:
            for each in seconds:
                await wake_ups.enqueue(each)
        with capture_logs():
            async with in_background(pool.run):
                await until(lambda: len(received.seconds) == len(seconds))
        gc.collect()
        if how == "silent":
            server.resume()

    assert [each.getMessage() for each in caplog.records if each.name == "asyncio"] == []


async def test_a_pool_stops_at_once_while_redis_is_dead(
    received: ReceivedWakeUps, tmp_path: Path
) -> None:
    with capture_logs() as logs:
        async with own_valkey(tmp_path) as server:
            async with in_background(an_arq_pool(server.uri, received).run):
                assert await receives_again(server, received)
                server.kill()
                await until(lambda: logs)
                start = time.monotonic()

            assert time.monotonic() - start < 1


async def test_a_job_that_was_finishing_as_its_worker_ended_is_not_an_error_of_asyncio(
    received: ReceivedWakeUps, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    finishing = asyncio.Event()

    class SignalsFinishing(Connection):
        async def _send_packed_command(self, command: Iterable[bytes]) -> None:
            packed = b"".join(command)
            if b"arq:abort" in packed:
                server.freeze()
                finishing.set()
            await super()._send_packed_command([packed])

    def connect() -> ArqRedis:
        client = open_arq(server.uri)
        client.connection_pool.connection_class = SignalsFinishing
        return client

    async with own_valkey(tmp_path) as server:
        pool = PoolWithoutCrons(
            connect=connect, tasks=received.tasks(), daily=NOT_NOW, max_jobs=5, now=now
        )
        async with wake_ups_at(server.uri) as wake_ups:
            await wake_ups.enqueue(LONG_AGO)
        async with in_background(pool.run):
            await finishing.wait()
        server.resume()
    gc.collect()
    await asyncio.sleep(0)

    assert "never retrieved" not in caplog.text
