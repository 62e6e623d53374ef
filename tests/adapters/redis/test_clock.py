"""Redis's clock against this process's; both are the machine's, and the latter is set wrong."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gcsched.adapters.redis.clock import RedisClockCheck
from gcsched.adapters.redis.connection import open_pool
from gcsched.errors import RedisUnavailable
from tests.support.background import in_background
from tests.support.wait import until


class LocalClock:
    """This machine's clock, set wrong by *error*."""

    def __init__(self) -> None:
        self.error = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.error


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis(connection_pool=open_pool(redis_url))
    yield client
    await client.aclose(close_connection_pool=True)


async def test_a_difference_is_logged_with_its_size_and_again_only_when_it_changes(
    redis: Redis,
) -> None:
    local = LocalClock()
    watch = RedisClockCheck(redis=redis, now=local)

    with capture_logs() as logs:
        await watch.measure()
        local.error = timedelta(minutes=10)
        differences = [await watch.measure() for _ in range(2)]
        offset_while_wrong = watch.offset
        local.error = timedelta(0)
        await watch.measure()

    assert all(abs(each.total_seconds() + 600) < 0.1 for each in differences)
    assert abs(offset_while_wrong.total_seconds() + 600) < 0.1
    assert watch.offset == timedelta(0)
    assert [log["event"] for log in logs] == ["clock of Redis differs"] * 2
    assert abs(logs[0]["seconds"] + 600) < 0.1
    assert abs(logs[1]["seconds"]) < 0.1


async def test_the_clock_is_measured_periodically(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.adapters.redis.clock.MEASURE_INTERVAL_SECONDS", 0.01)
    local = LocalClock()
    watch = RedisClockCheck(redis=redis, now=local)

    with capture_logs() as logs:
        async with in_background(watch.run):
            local.error = timedelta(hours=1)
            await until(lambda: logs)


async def test_a_redis_that_is_away_is_queried_again(
    unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.adapters.redis.clock.MEASURE_INTERVAL_SECONDS", 0.01)
    client = Redis(connection_pool=open_pool(f"redis://127.0.0.1:{unused_tcp_port}"))
    watch = RedisClockCheck(redis=client, now=LocalClock())

    with pytest.raises(RedisUnavailable):
        await watch.measure()
    async with in_background(watch.run):
        pass
    await client.aclose(close_connection_pool=True)
