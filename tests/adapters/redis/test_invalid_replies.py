"""A Redis that answers nonsense counts as unavailable; the oracle is a scripted server."""

import asyncio
import datetime as dt
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from arq.connections import ArqRedis
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gcsched.adapters.redis.arq import ArqTasks, ArqWakeUpQueue, ArqWorkerPool
from gcsched.adapters.redis.arq_client import open_arq
from gcsched.adapters.redis.clock import RedisClockCheck
from gcsched.adapters.redis.connection import RedisSentMarkerStore, open_pool
from gcsched.adapters.redis.heartbeats import RedisHeartbeatStore
from gcsched.adapters.redis.probe import RedisProbe
from gcsched.adapters.redis.rate_limit import RedisBucket
from gcsched.domain.due import DailyPlan
from gcsched.domain.token_bucket import RateGrant, RateLimit
from gcsched.errors import RedisUnavailable
from tests.support.background import in_background
from tests.support.fake_redis import (
    REPLIES,
    FakeRedis,
    Reply,
    a_fake_redis,
    always_reply,
    bulk_string,
    random_reply,
)
from tests.support.relay.script import repeatable
from tests.support.wait import until

ADA, BOB = ("job-1", "claim-1"), ("job-2", "claim-1")
LIMIT = RateLimit(per_second=50, burst=10)
NEVER = DailyPlan(at=dt.time(3, 33), zone=ZoneInfo("UTC"))
LATE = 2_000_000_000
SLOW = {"half a text", "half a line", "silence", "a long text announced"}
QUICK = sorted(set(REPLIES) - SLOW)

LOG_EVERY_TRY = ("gcsched.usecases.problem_log.REPEAT_AFTER_SECONDS", 0.0)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Clients:
    """All clients of Redis."""

    marks: RedisSentMarkerStore
    bucket: RedisBucket
    clock: RedisClockCheck
    wake_ups: ArqWakeUpQueue
    heartbeats: RedisHeartbeatStore

    @property
    def calls(self) -> dict[str, Callable[[], Awaitable[object]]]:
        return {
            "probe": RedisProbe(redis=self.marks.redis, arq=self.wake_ups.redis).check,
            "write heartbeat": partial(self.heartbeats.write, "0123456789abcdef:1"),
            "read heartbeat": self.heartbeats.read_latest,
            "add marks": partial(self.marks.write, added=[ADA, BOB]),
            "remove marks": partial(self.marks.write, removed=[ADA, BOB]),
            "find marks": partial(self.marks.find, [ADA, BOB]),
            "reserve": partial(self.bucket.reserve, 8, LIMIT),
            "refund": partial(self.bucket.refund, 3, LIMIT),
            "slot": partial(self.bucket.reserve_slot, LIMIT, max_wait=2.0),
            "clock": self.clock.measure,
            "enqueue": partial(self.wake_ups.enqueue, LATE),
            "missing": partial(self.wake_ups.find_missing, [LATE, LATE + 1]),
        }


@asynccontextmanager
async def clients_at(fake: FakeRedis) -> AsyncIterator[Clients]:
    redis, arq = Redis(connection_pool=open_pool(fake.url)), open_arq(fake.url)
    try:
        yield Clients(
            marks=RedisSentMarkerStore(redis=redis),
            bucket=RedisBucket(redis=redis, relay="r:25"),
            clock=RedisClockCheck(redis=redis, now=now),
            wake_ups=ArqWakeUpQueue(redis=arq, now=now),
            heartbeats=RedisHeartbeatStore(redis=redis, mongo_location="somewhere"),
        )
    finally:
        await redis.aclose(close_connection_pool=True)
        await arq.aclose(close_connection_pool=True)


def is_sensible(call: str, answer: object) -> bool:
    """Return whether *call* may return *answer*, for any reply of Redis."""
    match answer:
        case None:
            return call in {
                *("write heartbeat", "read heartbeat", "add marks", "remove marks"),
                *("refund", "enqueue", "slot"),
            }
        case set():
            return answer == set() if call == "find marks" else answer <= {LATE, LATE + 1}
        case RateGrant(count=count, wait_seconds=wait):
            return type(count) is int and 0 <= count <= 8 and 0 <= wait <= 55
        case float():
            return call == "slot" and 0 <= answer <= 2
    return call == "clock" and isinstance(answer, timedelta)


async def run_all(clients: Clients) -> dict[str, object]:
    """Make every call; return the result or the error of each."""
    tries = [call() for call in clients.calls.values()]
    return dict(
        zip(clients.calls, await asyncio.gather(*tries, return_exceptions=True), strict=True)
    )


@pytest.mark.parametrize("polite", [True, False], ids=["after the handshake", "from the first"])
async def test_any_answer_is_at_worst_unavailable(*, polite: bool) -> None:
    start = time.monotonic()
    async with a_fake_redis() as fake, clients_at(fake) as clients:
        fake.accepts_handshake = polite
        for kind in QUICK:
            fake.reply = REPLIES[kind]
            for call, answer in (await run_all(clients)).items():
                is_unavailable = isinstance(answer, RedisUnavailable)
                assert is_unavailable or is_sensible(call, answer), (kind, call, answer)

    assert time.monotonic() - start < 15


async def test_any_random_answer_is_at_worst_unavailable() -> None:
    chance = repeatable(7)
    async with a_fake_redis() as fake, clients_at(fake) as clients:
        fake.reply = lambda _: random_reply(chance)
        for _ in range(150):
            for call, answer in (await run_all(clients)).items():
                assert isinstance(answer, RedisUnavailable) or is_sensible(call, answer), (
                    call,
                    answer,
                )


@pytest.mark.parametrize("kind", sorted(SLOW))
async def test_an_answer_that_does_not_end_is_given_up_in_time(kind: str) -> None:
    async with a_fake_redis(REPLIES[kind]) as fake, clients_at(fake) as clients:
        start = time.monotonic()
        answers = await run_all(clients)
        took = time.monotonic() - start

    assert {type(answer) for answer in answers.values()} == {RedisUnavailable}
    assert took < 5


async def test_a_text_without_an_end_fills_no_memory() -> None:
    async with a_fake_redis() as fake, clients_at(fake) as clients:
        fake.floods = True
        tracemalloc.start()
        start = time.monotonic()
        with pytest.raises(RedisUnavailable, match="more than 1048576 octets"):
            await clients.marks.find([ADA])
        took, (_, peak) = time.monotonic() - start, tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert took < 1
    assert peak < 16 * 1024 * 1024


async def test_many_items_announced_reserve_no_memory_and_no_time() -> None:
    async with a_fake_redis(REPLIES["many items announced"]) as fake, clients_at(fake) as clients:
        start = time.monotonic()
        with pytest.raises(RedisUnavailable, match="announces more items"):
            await clients.marks.find([ADA])

    assert time.monotonic() - start < 0.5


@pytest.mark.parametrize("value", [b"1", b"OK", b"0", b"claim-1", b"\xff"])
async def test_a_redis_that_has_every_key_is_not_proof(value: bytes) -> None:
    def everything(command: list[bytes]) -> bytes:
        return b"*%d\r\n" % (len(command) - 1) + bulk_string(value) * (len(command) - 1)

    async with a_fake_redis(everything) as fake, clients_at(fake) as clients:
        with pytest.raises(RedisUnavailable):
            await clients.marks.find([ADA, BOB])


@pytest.mark.parametrize("extra", [-1, 1], ids=["one less", "one more"])
async def test_an_answer_with_another_number_of_keys_is_not_proof(extra: int) -> None:
    def other_count(command: list[bytes]) -> bytes:
        count = len(command) - 1 + extra
        return b"*%d\r\n" % count + bulk_string(b"1") + b"$-1\r\n" * (count - 1)

    async with a_fake_redis(other_count) as fake, clients_at(fake) as clients:
        with pytest.raises(RedisUnavailable):
            await clients.marks.find([ADA, BOB])


@pytest.mark.parametrize(
    "answer",
    [
        "2 :9 :0",
        "2 :-1 :0",
        "2 :8 :-1",
        "1 :8",
        "2 :0 :60000000",
        "3 :1 :1 :1",
        "2 #t :0",
        "2 :0 :0",
    ],
)
async def test_no_grant_is_larger_than_requested_or_has_an_absurd_wait(answer: str) -> None:
    octets = f"*{answer} ".replace(" ", "\r\n").encode()
    async with a_fake_redis(always_reply(octets)) as fake, clients_at(fake) as clients:
        problem = await find_problem(lambda: clients.bucket.reserve(8, LIMIT))

    assert "InvalidReply: it answered" in problem


@pytest.mark.parametrize("answer", [b":-2\r\n", b":2000001\r\n", b"$1\r\n5\r\n", b"#t\r\n"])
async def test_no_slot_lies_before_now_or_beyond_the_longest_wait(answer: bytes) -> None:
    async with a_fake_redis(always_reply(answer)) as fake, clients_at(fake) as clients:
        problem = await find_problem(lambda: clients.bucket.reserve_slot(LIMIT, max_wait=2.0))

    assert "InvalidReply: it answered" in problem


async def find_problem(call: Callable[[], Awaitable[object]]) -> str:
    """Return why *call* fails once the answer came in time, which it does not on a busy machine."""

    async def fail() -> str:
        with pytest.raises(RedisUnavailable) as caught:
            await call()
        return "" if "TimeoutError" in str(caught.value) else str(caught.value)

    return str(await until(fail))


@pytest.mark.parametrize("kind", ["a reply and garbage", "null", "error NOSCRIPT", "HTTP", "true"])
async def test_a_redis_that_answered_nonsense_is_usable_when_it_recovers(kind: str) -> None:
    """redis-py keeps a hash from a reply, and a connection whose parser has failed."""
    async with a_fake_redis(REPLIES[kind]) as fake, clients_at(fake) as clients:
        for _ in range(3):
            await run_all(clients)

        fake.reply = lambda command: (
            b"*2\r\n:8\r\n:0\r\n" if command[0].startswith(b"EVAL") else bulk_string(command[-1])
        )

        assert await clients.bucket.reserve(8, LIMIT) == RateGrant(count=8, wait_seconds=0)


async def test_an_error_names_the_problem_and_repeats_no_foreign_text() -> None:
    secret = always_reply(bulk_string(b"secret of another program"))
    async with a_fake_redis(secret) as fake, clients_at(fake) as clients:
        with pytest.raises(RedisUnavailable) as error:
            await clients.bucket.reserve_slot(LIMIT, max_wait=2.0)

    assert str(error.value) == (
        "Redis is unavailable while reserving a slot: InvalidReply: it answered bytes of "
        "length 25 instead of an integer from -1 to 2000000"
    )


async def do_nothing() -> None:
    """Do nothing at a wake-up or a sweep."""


def a_worker_pool(connect: Callable[[], ArqRedis], seconds: list[int]) -> ArqWorkerPool:
    tasks = ArqTasks(
        on_wake_up=seconds.append, after_wake_up=do_nothing, sweep=do_nothing, daily_run=do_nothing
    )
    return ArqWorkerPool(connect=connect, tasks=tasks, daily=NEVER, max_jobs=5, now=now)


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses of the workers."""
    monkeypatch.setattr("gcsched.adapters.redis.arq.FIRST_BACK_OFF_SECONDS", 0.01)
    monkeypatch.setattr("gcsched.adapters.redis.arq.MAX_BACK_OFF_SECONDS", 0.02)
    monkeypatch.setattr("gcsched.adapters.redis.arq.POLLS_PER_SECOND", 50)


@pytest.mark.usefixtures("short_pauses")
async def test_no_answer_ends_the_workers() -> None:
    seconds: list[int] = []
    async with (
        a_fake_redis() as fake,
        in_background(a_worker_pool(partial(open_arq, fake.url), seconds).run),
    ):
        for kind in QUICK:
            fake.reply = REPLIES[kind]
            fake.commands.clear()
            fake.drop_all()
            await until(lambda: len(fake.commands) > 3)

    assert all(type(each) is int for each in seconds)


@pytest.mark.usefixtures("short_pauses")
async def test_a_worker_that_cannot_be_built_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(*LOG_EVERY_TRY)

    def raise_defect() -> ArqRedis:
        raise ZeroDivisionError("no client today")

    pool = a_worker_pool(raise_defect, [])
    with capture_logs() as logs:
        async with in_background(pool.run):
            await until(lambda: len(logs) > 3)

    assert {(log["error"], log["reason"]) for log in logs} == {
        ("ZeroDivisionError", "ZeroDivisionError: no client today")
    }


def a_poisoned_queue() -> Reply:
    """Return a reply function for a queue that always has a wake-up with unreadable data."""
    queued: list[bytes] | None = None
    fixed_replies = {
        b"ZRANGEBYSCORE": b"*1\r\n" + bulk_string(b"gcsched:wake:1"),
        b"ZSCORE": bulk_string(b"1"),
    }

    def answer(command: list[bytes]) -> bytes:
        nonlocal queued
        name, transaction = command[0].upper(), queued
        if name == b"MULTI":
            queued = []
        elif name == b"EXEC" and transaction is not None:
            queued = None
            items = [bulk_string(b"\xc1") if each == b"GET" else b":1\r\n" for each in transaction]
            return b"*%d\r\n" % len(items) + b"".join(items)
        elif transaction is not None:
            transaction.append(name)
            return b"+QUEUED\r\n"
        return fixed_replies.get(name, b":0\r\n" if name == b"EXISTS" else b"+OK\r\n")

    return answer


async def test_a_worker_whose_jobs_fail_again_and_again_pauses(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gcsched.adapters.redis.arq.POLLS_PER_SECOND", 100)
    monkeypatch.setattr(*LOG_EVERY_TRY)
    with capture_logs() as logs:
        async with a_fake_redis(a_poisoned_queue()) as fake:
            pool = a_worker_pool(partial(open_arq, fake.url), [])
            async with in_background(pool.run):
                await until(lambda: len(logs) == 2)

    assert {log["error"] for log in logs} == {"TooManyFailures"}
    assert 16 <= caplog.text.count("deserializing job gcsched:wake:1 failed") <= 100
