"""The shared bucket in a real Valkey; oracles: arithmetic, and the mails that a relay received."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis as RawRedis
from redis.asyncio import Redis

from gcsched.adapters.redis import rate_limit
from gcsched.adapters.redis.connection import open_pool
from gcsched.adapters.redis.rate_limit import RedisBucket
from gcsched.domain.token_bucket import RateGrant, RateLimit
from gcsched.errors import RedisUnavailable
from gcsched.usecases.relays.failover import FailoverTransport
from gcsched.usecases.relays.protected_relay import ProtectedRelay
from gcsched.usecases.relays.rate_allowance import SharedRateAllowance
from gcsched.usecases.relays.rate_limiter import RateLimiter
from tests.support.fake_redis import a_fake_redis
from tests.support.mails import GrantPermit, a_mail
from tests.support.relay.client import a_pool
from tests.support.relay.server import Relay
from tests.support.stores import own_valkey

KEY = "gcsched:rate:smtp.example.org:587"
LIMIT = RateLimit(per_second=50, burst=10)
SLOW_LIMIT = RateLimit(per_second=0.1, burst=10)  # so slow that a test sees no time pass


@asynccontextmanager
async def bucket_at(url: str, relay: Relay | None = None) -> AsyncIterator[RedisBucket]:
    client = Redis(connection_pool=open_pool(url))
    name = f"127.0.0.1:{relay.port}" if relay else "smtp.example.org:587"
    try:
        yield RedisBucket(redis=client, relay=name)
    finally:
        await client.aclose(close_connection_pool=True)


@pytest.fixture
def patient_redis_url(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A Redis whose answers a bucket waits for, however busy the machine is."""
    monkeypatch.setattr(rate_limit, "ANSWER_TIMEOUT", timedelta(seconds=10))
    return redis_url


@pytest.fixture
async def bucket(patient_redis_url: str) -> AsyncIterator[RedisBucket]:
    async with bucket_at(patient_redis_url) as bucket:
        yield bucket


async def test_a_burst_is_granted_and_then_a_wait(bucket: RedisBucket) -> None:
    first = await bucket.reserve(64, SLOW_LIMIT)
    second = await bucket.reserve(64, SLOW_LIMIT)

    assert (first.count, second.count) == (10, 0)
    assert [first.wait_seconds, second.wait_seconds] == pytest.approx([10, 10], abs=0.5)


async def test_a_smaller_request_needs_no_wait(bucket: RedisBucket) -> None:
    assert await bucket.reserve(9, SLOW_LIMIT) == RateGrant(count=9, wait_seconds=0.0)


async def test_all_clients_take_from_one_bucket(bucket: RedisBucket, redis_url: str) -> None:
    async with bucket_at(redis_url) as other:
        counts = [(await each.reserve(6, SLOW_LIMIT)).count for each in (bucket, other)]

    assert counts == [6, 4]


async def test_refunded_mails_may_be_taken_by_another_client(
    bucket: RedisBucket, redis_url: str
) -> None:
    await bucket.reserve(10, SLOW_LIMIT)

    await bucket.refund(7, SLOW_LIMIT)

    async with bucket_at(redis_url) as other:
        assert (await other.reserve(64, SLOW_LIMIT)).count == 7


async def test_a_refund_of_everything_restores_a_burst_and_no_more(bucket: RedisBucket) -> None:
    for _ in range(3):
        await bucket.reserve(10, SLOW_LIMIT)
        await bucket.refund(10, SLOW_LIMIT)

    assert (await bucket.reserve(64, SLOW_LIMIT)).count == 10


async def test_all_clients_share_one_queue_for_slots(bucket: RedisBucket, redis_url: str) -> None:
    limit = RateLimit(per_second=0.1, burst=2)
    async with bucket_at(redis_url) as other:
        waits = [
            await each.reserve_slot(limit, max_wait=25)
            for each in (bucket, other, bucket, other, bucket)
        ]
        last = await other.reserve_slot(limit, max_wait=100)

    assert waits[:2] == [0, 0]
    assert waits[2:4] == pytest.approx([10, 20], abs=0.5)
    assert waits[4] is None  # the refused request has no slot
    assert last == pytest.approx(30, abs=0.5)


async def test_the_bucket_expires_when_it_is_not_used(bucket: RedisBucket, redis_url: str) -> None:
    await bucket.reserve(5, SLOW_LIMIT)

    with RawRedis.from_url(redis_url, decode_responses=True) as raw:
        assert raw.keys() == [KEY]
        assert 0 < raw.pttl(KEY) <= 51_000 + 1


async def test_a_clock_that_was_set_back_does_not_stop_everything(
    bucket: RedisBucket, redis_url: str
) -> None:
    with RawRedis.from_url(redis_url) as raw:
        in_an_hour = (time.time() + 3600) * 1_000_000
        raw.set(KEY, f"{in_an_hour:.0f}")

    grant = await bucket.reserve(64, LIMIT)

    assert grant.wait_seconds < 51


async def test_a_clock_that_was_set_back_does_not_refuse_every_slot(
    bucket: RedisBucket, redis_url: str
) -> None:
    with RawRedis.from_url(redis_url) as raw:
        in_an_hour = (time.time() + 3600) * 1_000_000
        raw.set(f"{KEY}:slots", f"{in_an_hour:.0f}")

    waits = [await bucket.reserve_slot(SLOW_LIMIT, max_wait=25) for _ in range(2)]

    assert waits == pytest.approx([10, 20], abs=0.5)  # no burst, but the rate


async def test_a_replica_with_a_lower_rate_does_not_block_the_others(bucket: RedisBucket) -> None:
    slowed = RateLimit(per_second=1, burst=10)
    for _ in range(12):
        await bucket.reserve_slot(slowed, max_wait=2)

    assert await bucket.reserve_slot(LIMIT, max_wait=2) == pytest.approx(0.02, abs=0.01)


async def test_a_script_that_redis_forgot_is_sent_again(
    bucket: RedisBucket, redis_url: str
) -> None:
    await bucket.reserve(1, SLOW_LIMIT)
    with RawRedis.from_url(redis_url) as raw:
        raw.script_flush()

    assert (await bucket.reserve(64, SLOW_LIMIT)).count == 9


async def test_a_redis_that_is_silent_or_gone_is_reported_quickly(tmp_path: Path) -> None:
    async with own_valkey(tmp_path) as server, bucket_at(server.uri) as bucket:
        await bucket.reserve(1, LIMIT)
        for fail in (server.freeze, server.kill):
            fail()
            start = time.monotonic()
            with pytest.raises(RedisUnavailable):
                await bucket.reserve(1, LIMIT)
            assert time.monotonic() - start < 1


@asynccontextmanager
async def a_replica(
    redis_url: str, relay: Relay, limit: RateLimit = LIMIT
) -> AsyncIterator[FailoverTransport]:
    """Build the transport of one process: failover, rate limiter, pool."""
    async with bucket_at(redis_url, relay) as bucket, a_pool(relay) as pool:
        rate_limiter = RateLimiter(
            relay=pool.name,
            per_second=limit.per_second,
            burst=limit.burst,
            allowance=SharedRateAllowance(shared=bucket),
        )
        yield FailoverTransport(
            [
                ProtectedRelay(
                    mailer=pool, rate_limiter=rate_limiter, password_variable="", while_down=""
                )
            ]
        )


async def send_until_deadline(deadline: float, relays: FailoverTransport) -> None:
    """Send as fast as the transport allows, in batches as the delivery does."""
    while time.monotonic() < deadline:
        await relays.wait_open()
        count = await relays.grant(8)
        await asyncio.gather(*[relays.send(a_mail(), GrantPermit()) for _ in range(count)])


def most_in_a_second(times: list[float]) -> int:
    return max(sum(start <= each < start + 1 for each in times) for start in times)


class LoopPauses:
    """Records the longest pause of the loop, by which a mail may be late on a busy machine."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        while True:
            start = time.monotonic()
            await asyncio.sleep(0.01)
            self.longest = max(self.longest, time.monotonic() - start)


async def test_three_clients_together_keep_to_the_rate_and_its_burst(
    patient_redis_url: str,
) -> None:
    # So slow that the burst bridges a pause of the machine of a second.
    seconds, limit = 6.0, RateLimit(per_second=10, burst=10)
    pauses = LoopPauses()
    async with Relay() as relay, AsyncExitStack() as stack:
        replicas = [
            await stack.enter_async_context(a_replica(patient_redis_url, relay, limit))
            for _ in range(3)
        ]

        watching = asyncio.create_task(pauses.run())
        deadline = time.monotonic() + seconds
        await asyncio.gather(*[send_until_deadline(deadline, replica) for replica in replicas])
        watching.cancel()

        times = [kept.time for kept in relay.ledger]
    assert most_in_a_second(times) <= 22 + limit.per_second * pauses.longest
    assert 9 <= (len(times) - limit.burst) / seconds <= 10.2


async def test_mails_that_come_all_at_once_still_leave_at_the_rate(patient_redis_url: str) -> None:
    """As after a slow claim, or for the relay that takes over."""
    async with Relay() as relay, a_replica(patient_redis_url, relay) as replica:
        results = await asyncio.gather(*[replica.send(a_mail(), GrantPermit()) for _ in range(90)])

        times = [kept.time for kept in relay.ledger]
    assert len(times) == len(results) == 90
    assert most_in_a_second(times) <= 66


@dataclass(frozen=True, kw_only=True)
class BucketKeys:
    """The keys of a relay's buckets."""

    grants: str
    slots: str

    @classmethod
    def of(cls, relay: Relay) -> "BucketKeys":
        grants = f"gcsched:rate:127.0.0.1:{relay.port}"
        return cls(grants=grants, slots=f"{grants}:slots")


Disturb = Callable[[RawRedis, BucketKeys], object]
DISTURBANCES: dict[str, Disturb] = {
    "flushed": lambda raw, _: raw.flushdb(),
    "keys deleted": lambda raw, keys: raw.delete(keys.grants, keys.slots),
    "slots deleted": lambda raw, keys: raw.delete(keys.slots),
    "old keys restored": lambda raw, keys: raw.mset({keys.grants: "1", keys.slots: "1"}),
    "a list instead of a number": lambda raw, keys: raw.eval(A_LIST, 2, keys.grants, keys.slots),
}
A_LIST = "redis.call('DEL', KEYS[1], KEYS[2]) return redis.call('RPUSH', KEYS[1], 'x')"


async def disturb(url: str, relay: Relay, disturbance: str) -> None:
    with RawRedis.from_url(url) as raw:
        while True:
            DISTURBANCES[disturbance](raw, BucketKeys.of(relay))
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("disturbance", list(DISTURBANCES))
async def test_a_shared_bucket_that_forgets_lets_no_process_exceed_the_rate(
    redis_url: str, disturbance: str
) -> None:
    async with Relay() as relay, a_replica(redis_url, relay) as replica:
        disturbing = asyncio.create_task(disturb(redis_url, relay, disturbance))
        await send_until_deadline(time.monotonic() + 2.2, replica)
        disturbing.cancel()
        await asyncio.wait({disturbing})
        times = [kept.time for kept in relay.ledger]

    assert disturbing.cancelled()
    assert most_in_a_second(times) <= 66
    assert len(times) >= 20


async def test_a_redis_that_grants_everything_lets_no_process_exceed_the_rate() -> None:
    def generous(command: list[bytes]) -> bytes:
        is_for_a_slot = command[3].endswith(b":slots")
        return b":0\r\n" if is_for_a_slot else b"*2\r\n:%b\r\n:0\r\n" % command[4]

    async with Relay() as relay, a_fake_redis(generous) as fake:
        async with a_replica(fake.url, relay) as replica:
            await send_until_deadline(time.monotonic() + 2.2, replica)
        times = [kept.time for kept in relay.ledger]

    assert most_in_a_second(times) <= 66
    assert len(times) >= 100
