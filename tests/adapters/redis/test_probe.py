"""The probe of readiness, on real Valkeys that answer and cannot be used."""

import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.asyncio import Redis

from gcsched.adapters.redis.arq_client import open_arq
from gcsched.adapters.redis.connection import open_pool
from gcsched.adapters.redis.probe import BETWEEN_WRITES_SECONDS, RedisProbe
from gcsched.errors import RedisUnavailable
from tests.support.stores import own_valkey
from tests.support.unusable_redis import COMMANDS, SUFFICIENT_RULES, WAYS, add_user, run_unusable

PAGE = Path(__file__).resolve().parents[3] / "docs" / "operations.md"


@asynccontextmanager
async def a_probe(
    url: str, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[RedisProbe]:
    client, arq = Redis(connection_pool=open_pool(url)), open_arq(url)
    try:
        yield RedisProbe(redis=client, arq=arq, clock=clock)
    finally:
        for each in (client, arq):
            await each.aclose(close_connection_pool=True)


async def test_a_probe_leaves_redis_as_it_was(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as raw:
        raw.zadd("gcsched:queue", {"gcsched:wake:1": 1})
        async with a_probe(redis_url) as probe:
            for _ in range(3):
                await probe.check()

        assert raw.keys() == [b"gcsched:queue"]
        assert raw.zrange("gcsched:queue", 0, -1) == [b"gcsched:wake:1"]


async def test_two_processes_that_probe_at_once_do_not_disturb_each_other(redis_url: str) -> None:
    async with a_probe(redis_url) as one, a_probe(redis_url) as other:
        for _ in range(20):
            await one.check()
            await other.check()


@pytest.mark.parametrize("way", WAYS)
async def test_a_redis_that_answers_and_cannot_be_used_is_reported(
    tmp_path: Path, way: str
) -> None:
    async with run_unusable(tmp_path, way) as url, a_probe(url) as probe:
        for _ in range(2):
            with pytest.raises(RedisUnavailable) as error:
                await probe.check()

            assert "\\x" not in str(error.value)
            assert not re.search("[0-9a-f]{16}", str(error.value)), "no written value in the text"


async def test_a_user_with_the_rules_of_the_operations_page_is_enough(tmp_path: Path) -> None:
    async with (
        own_valkey(tmp_path) as server,
        a_probe(add_user(server, *SUFFICIENT_RULES)) as probe,
    ):
        await probe.check()
    assert " ".join(SUFFICIENT_RULES) in PAGE.read_text(encoding="utf-8")


async def test_the_probe_notices_each_missing_command(tmp_path: Path) -> None:
    unnoticed = []
    async with own_valkey(tmp_path) as server:
        for command in COMMANDS:
            rules = (
                *SUFFICIENT_RULES,
                f"-{command}",
                *(("-eval",) if command == "evalsha" else ()),
            )
            async with a_probe(add_user(server, *rules)) as probe:
                try:
                    await probe.check()
                except RedisUnavailable:
                    continue
            unnoticed.append(command)

    assert unnoticed == []


async def test_a_redis_that_is_emptied_loses_its_scripts_and_is_healthy(redis_url: str) -> None:
    async with a_probe(redis_url) as probe:
        await probe.check()
        with redis.Redis.from_url(redis_url) as raw:
            raw.script_flush()
            raw.flushdb()

        await probe.check()


def count_writes(raw: redis.Redis) -> int:
    stats: Any = raw.info("commandstats")
    return sum(stats.get(f"cmdstat_{each}", {}).get("calls", 0) for each in ("set", "psetex"))


async def test_it_writes_every_five_seconds_and_reads_between(tmp_path: Path) -> None:
    now = 100.0
    async with own_valkey(tmp_path) as server, a_probe(server.uri, lambda: now) as probe:
        with redis.Redis.from_url(server.uri) as raw:
            await probe.check()
            once = count_writes(raw)
            assert once > 0
            for _ in range(4):
                now += 1
                await probe.check()
            assert count_writes(raw) == once
            raw.config_set("min-replicas-to-write", "1")
            await probe.check()

            now = 100.0 + BETWEEN_WRITES_SECONDS
            for _ in range(2):
                with pytest.raises(RedisUnavailable):
                    await probe.check()
            raw.config_set("min-replicas-to-write", "0")
            await probe.check()
            assert count_writes(raw) > once

            server.kill()
            with pytest.raises(RedisUnavailable):
                await probe.check()
