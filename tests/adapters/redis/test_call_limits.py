"""The calls of clients in a real Valkey; oracle: arithmetic."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from redis import Redis as RawRedis
from redis.asyncio import Redis

from gcsched.adapters.redis import call_limits
from gcsched.adapters.redis.call_limits import RedisCalls
from gcsched.adapters.redis.connection import open_pool
from gcsched.domain.token_bucket import RateLimit
from gcsched.errors import RedisUnavailable
from gcsched.usecases.ports import CallsTogether
from tests.support.fake_redis import REPLIES, a_fake_redis

LIMIT = RateLimit(per_second=0.1, burst=10)  # so slow that a test sees no time pass
KEY = "gcsched:calls:here:payroll"


@pytest.fixture
async def client(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Redis]:
    # However busy the machine is.
    monkeypatch.setattr(call_limits, "ANSWER_TIMEOUT", timedelta(seconds=10))
    client = Redis(connection_pool=open_pool(redis_url))
    try:
        yield client
    finally:
        await client.aclose(close_connection_pool=True)


@pytest.fixture
def calls(client: Redis) -> RedisCalls:
    return RedisCalls(redis=client, mongo_location="here")


def count_unpaid(together: CallsTogether) -> tuple[int, int]:
    """Return how many calls are not paid for, and the number of processes."""
    return round(together.ahead_seconds * LIMIT.per_second), together.processes


async def test_the_calls_of_all_processes_add_up(client: Redis, calls: RedisCalls) -> None:
    other = RedisCalls(redis=client, mongo_location="here")

    views = [
        await calls.add("payroll", 3, LIMIT, age_seconds=0),
        await other.add("payroll", 4, LIMIT, age_seconds=0),
        await calls.add("payroll", 1, LIMIT, age_seconds=0),
        await other.add("hr", 1, LIMIT, age_seconds=0),
    ]

    assert [count_unpaid(view) for view in views] == [(3, 1), (7, 2), (8, 2), (1, 1)]


async def test_services_on_other_databases_count_apart(client: Redis, calls: RedisCalls) -> None:
    await calls.add("payroll", 3, LIMIT, age_seconds=0)

    elsewhere = RedisCalls(redis=client, mongo_location="elsewhere")

    assert count_unpaid(await elsewhere.add("payroll", 1, LIMIT, age_seconds=0)) == (1, 1)


async def test_an_overdrawn_bucket_owes_two_bursts_at_most(calls: RedisCalls) -> None:
    assert count_unpaid(await calls.add("payroll", 15, LIMIT, age_seconds=0)) == (15, 1)
    assert count_unpaid(await calls.add("payroll", 15, LIMIT, age_seconds=0)) == (20, 1)


async def test_time_pays_for_calls(calls: RedisCalls) -> None:
    fast = RateLimit(per_second=1e6, burst=1)

    await calls.add("payroll", 1, fast, age_seconds=0)

    assert (await calls.add("payroll", 0, fast, age_seconds=0)).ahead_seconds < 2e-6


async def test_calls_are_paid_for_from_their_own_time_on(calls: RedisCalls) -> None:
    assert count_unpaid(await calls.add("payroll", 3, LIMIT, age_seconds=20)) == (1, 1)
    assert count_unpaid(await calls.add("payroll", 3, LIMIT, age_seconds=20)) == (4, 1)


async def test_a_process_without_calls_for_5_s_is_forgotten(
    calls: RedisCalls, redis_url: str
) -> None:
    with RawRedis.from_url(redis_url) as raw:
        seconds, _ = raw.time()
        raw.hset(KEY, mapping={"gone": (seconds - 6) * 10**6, "here": (seconds - 1) * 10**6})
        raw.hset(KEY, mapping={"from a wrong clock": (seconds + 60) * 10**6, "odd": "x"})

        view = await calls.add("payroll", 1, LIMIT, age_seconds=0)

        assert view.processes == 2
        assert raw.hlen(KEY) == 3
        assert {b"paid_until", b"here"} <= {*raw.hkeys(KEY)}


async def test_a_clock_that_was_set_back_stops_a_client_for_two_bursts_at_most(
    calls: RedisCalls, redis_url: str
) -> None:
    with RawRedis.from_url(redis_url) as raw:
        raw.hset(KEY, "paid_until", (raw.time()[0] + 10**6) * 10**6)

        assert count_unpaid(await calls.add("payroll", 1, LIMIT, age_seconds=0)) == (20, 1)


async def test_a_key_expires_once_its_calls_are_paid_for(calls: RedisCalls, redis_url: str) -> None:
    await calls.add("payroll", 2, LIMIT, age_seconds=0)

    with RawRedis.from_url(redis_url) as raw:
        assert 20_000 < raw.pttl(KEY) <= 30_000


@pytest.mark.parametrize(
    "reply", ["OK", "null", "empty array", "a negative wait", "two zeros", "a wait of years"]
)
async def test_nonsense_is_not_taken_over(reply: str) -> None:
    async with a_fake_redis(REPLIES[reply]) as fake:
        client = Redis(connection_pool=open_pool(fake.url))
        try:
            with pytest.raises(RedisUnavailable):
                await RedisCalls(redis=client, mongo_location="here").add(
                    "payroll", 1, LIMIT, age_seconds=0
                )
        finally:
            await client.aclose(close_connection_pool=True)
