"""Redis that answers nonsense is Redis that is unavailable; a scripted server is the oracle."""

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
SPEED = RateLimit(per_second=50, burst=10)
NEVER = DailyPlan(at=dt.time(3, 33), zone=ZoneInfo("UTC"))
LATE = 2_000_000_000
SLOW = {"half a text", "half a line", "silence", "a long text announced"}
QUICK = sorted(set(REPLIES) - SLOW)

LOG_EVERY_TRY = ("gcsched.usecases.problem_log.REPEAT_AFTER_SECONDS", 0.0)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Clients:
    """Everything that talks to Redis."""

    marks: RedisSentMarkerStore
    bucket: RedisBucket
    clock: RedisClockCheck
    wake_ups: ArqWakeUpQueue
    heartbeats: RedisHeartbeatStore

    @property
    def calls(self) -> dict[str, Callable[[], Awaitable[object]]]:
        return {
            "probe": RedisProbe(redis=self.marks.redis, arq=self.wake_ups.redis).check,
            "beat": partial(self.heartbeats.write, "0123456789abcdef:1"),
            "latest": self.heartbeats.read_latest,
            "note": partial(self.marks.add, [ADA, BOB]),
            "forget": partial(self.marks.remove, [ADA, BOB]),
            "noted": partial(self.marks.find, [ADA, BOB]),
            "reserve": partial(self.bucket.reserve, 8, SPEED),
            "refund": partial(self.bucket.refund, 3, SPEED),
            "slot": partial(self.bucket.reserve_slot, SPEED, max_wait=2.0),
            "clock": self.clock.measure,
            "ring": partial(self.wake_ups.enqueue, LATE),
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


def is_sensible(use: str, answer: object) -> bool:
    """Say whether a use may come to *answer*, whatever Redis said."""
    match answer:
        case None:
            return use in {"beat", "latest", "note", "forget", "refund", "ring", "slot"}
        case set():
            return answer == set() if use == "noted" else answer <= {LATE, LATE + 1}
        case RateGrant(count=count, wait_seconds=wait):
            return type(count) is int and 0 <= count <= 8 and 0 <= wait <= 55
        case float():
            return use == "slot" and 0 <= answer <= 2
    return use == "clock" and isinstance(answer, timedelta)


async def run_all(clients: Clients) -> dict[str, object]:
    """Try every use; give what it came to, its RedisUnavailable included."""
    tries = [use() for use in clients.calls.values()]
    return dict(
        zip(clients.calls, await asyncio.gather(*tries, return_exceptions=True), strict=True)
    )


@pytest.mark.parametrize("polite", [True, False], ids=["after the handshake", "from the first"])
async def test_no_answer_is_more_than_unavailable(*, polite: bool) -> None:
    begun = time.monotonic()
    async with a_fake_redis() as fake, clients_at(fake) as clients:
        fake.accepts_handshake = polite
        for kind in QUICK:
            fake.reply = REPLIES[kind]
            for use, answer in (await run_all(clients)).items():
                is_unavailable = isinstance(answer, RedisUnavailable)
                assert is_unavailable or is_sensible(use, answer), (kind, use, answer)

    assert time.monotonic() - begun < 15


async def test_no_random_answer_is_more_than_unavailable() -> None:
    chance = repeatable(7)
    async with a_fake_redis() as fake, clients_at(fake) as clients:
        fake.reply = lambda _: random_reply(chance)
        for _ in range(150):
            for use, answer in (await run_all(clients)).items():
                assert isinstance(answer, RedisUnavailable) or is_sensible(use, answer), (
                    use,
                    answer,
                )


@pytest.mark.parametrize("kind", sorted(SLOW))
async def test_an_answer_that_does_not_end_is_given_up_in_time(kind: str) -> None:
    async with a_fake_redis(REPLIES[kind]) as fake, clients_at(fake) as clients:
        begun = time.monotonic()
        answers = await run_all(clients)
        took = time.monotonic() - begun

    assert {type(answer) for answer in answers.values()} == {RedisUnavailable}
    assert took < 5


async def test_a_text_without_an_end_fills_no_memory() -> None:
    async with a_fake_redis() as fake, clients_at(fake) as clients:
        fake.floods = True
        tracemalloc.start()
        begun = time.monotonic()
        with pytest.raises(RedisUnavailable, match="more than 1048576 octets"):
            await clients.marks.find([ADA])
        took, (_, peak) = time.monotonic() - begun, tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert took < 1
    assert peak < 16 * 1024 * 1024


async def test_many_items_announced_reserve_no_memory_and_no_time() -> None:
    async with a_fake_redis(REPLIES["many items announced"]) as fake, clients_at(fake) as clients:
        begun = time.monotonic()
        with pytest.raises(RedisUnavailable, match="announces more items"):
            await clients.marks.find([ADA])

    assert time.monotonic() - begun < 0.5


@pytest.mark.parametrize("said", [b"1", b"OK", b"0", b"claim-1", b"\xff"])
async def test_what_has_every_key_is_no_proof(said: bytes) -> None:
    def everything(command: list[bytes]) -> bytes:
        return b"*%d\r\n" % (len(command) - 1) + bulk_string(said) * (len(command) - 1)

    async with a_fake_redis(everything) as fake, clients_at(fake) as clients:
        with pytest.raises(RedisUnavailable):
            await clients.marks.find([ADA, BOB])


@pytest.mark.parametrize("extra", [-1, 1], ids=["one less", "one more"])
async def test_an_answer_to_another_number_of_keys_is_no_proof(extra: int) -> None:
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
async def test_no_grant_is_larger_than_asked_or_has_an_absurd_wait(answer: str) -> None:
    octets = f"*{answer} ".replace(" ", "\r\n").encode()
    async with a_fake_redis(always_reply(octets)) as fake, clients_at(fake) as clients:
        with pytest.raises(RedisUnavailable, match="Nonsense: it answered"):
            await clients.bucket.reserve(8, SPEED)


@pytest.mark.parametrize("answer", [b":-2\r\n", b":2000001\r\n", b"$1\r\n5\r\n", b"#t\r\n"])
async def test_no_slot_lies_before_now_or_beyond_the_patience(answer: bytes) -> None:
    async with a_fake_redis(always_reply(answer)) as fake, clients_at(fake) as clients:
        with pytest.raises(RedisUnavailable, match="Nonsense: it answered"):
            await clients.bucket.reserve_slot(SPEED, max_wait=2.0)


@pytest.mark.parametrize("kind", ["a reply and garbage", "null", "error NOSCRIPT", "HTTP", "true"])
async def test_what_was_nonsense_once_is_usable_when_it_answers_well(kind: str) -> None:
    """redis-py keeps a hash that it was given, and a connection whose parser has failed."""
    async with a_fake_redis(REPLIES[kind]) as fake, clients_at(fake) as clients:
        for _ in range(3):
            await run_all(clients)

        fake.reply = lambda command: (
            b"*2\r\n:8\r\n:0\r\n" if command[0].startswith(b"EVAL") else bulk_string(command[-1])
        )

        assert await clients.bucket.reserve(8, SPEED) == RateGrant(count=8, wait_seconds=0)


async def test_an_error_says_what_was_wrong_and_repeats_no_text_of_others() -> None:
    secret = always_reply(bulk_string(b"secret of a neighbour"))
    async with a_fake_redis(secret) as fake, clients_at(fake) as clients:
        with pytest.raises(RedisUnavailable) as error:
            await clients.bucket.reserve_slot(SPEED, max_wait=2.0)

    assert str(error.value) == (
        "Redis is unavailable while asking for a slot: Nonsense: it answered bytes of length 21 "
        "instead of an integer from -1 to 2000000"
    )


async def do_nothing() -> None:
    """Do what a worker is to do."""


def a_worker_pool(connect: Callable[[], ArqRedis], wakes: list[int]) -> ArqWorkerPool:
    tasks = ArqTasks(
        on_wake_up=wakes.append, after_wake_up=do_nothing, sweep=do_nothing, daily_run=do_nothing
    )
    return ArqWorkerPool(connect=connect, tasks=tasks, daily=NEVER, max_jobs=5, now=now)


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the pauses of the workers shorter than a test has time for."""
    monkeypatch.setattr("gcsched.adapters.redis.arq.FIRST_BACK_OFF", 0.01)
    monkeypatch.setattr("gcsched.adapters.redis.arq.MAX_BACK_OFF", 0.02)
    monkeypatch.setattr("gcsched.adapters.redis.arq.POLLS_PER_SECOND", 50)


@pytest.mark.usefixtures("hurried")
async def test_no_answer_ends_the_workers() -> None:
    wakes: list[int] = []
    async with (
        a_fake_redis() as fake,
        in_background(a_worker_pool(partial(open_arq, fake.url), wakes).run),
    ):
        for kind in QUICK:
            fake.reply = REPLIES[kind]
            fake.commands.clear()
            fake.drop_all()
            await until(lambda: len(fake.commands) > 3)

    assert all(type(each) is int for each in wakes)


@pytest.mark.usefixtures("hurried")
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
    """Make a queue that always has a wake-up whose data cannot be read."""
    queued: list[bytes] | None = None
    always_so = {
        b"ZRANGEBYSCORE": b"*1\r\n" + bulk_string(b"gcsched:wake:1"),
        b"ZSCORE": bulk_string(b"1"),
    }

    def answer(command: list[bytes]) -> bytes:
        nonlocal queued
        name, meant = command[0].upper(), queued
        if name == b"MULTI":
            queued = []
        elif name == b"EXEC" and meant is not None:
            queued = None
            items = [bulk_string(b"\xc1") if each == b"GET" else b":1\r\n" for each in meant]
            return b"*%d\r\n" % len(items) + b"".join(items)
        elif meant is not None:
            meant.append(name)
            return b"+QUEUED\r\n"
        return always_so.get(name, b":0\r\n" if name == b"EXISTS" else b"+OK\r\n")

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
