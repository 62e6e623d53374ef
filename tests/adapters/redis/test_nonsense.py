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

from gcsched.adapters.redis.arq import ArqBell, ArqWorkerPool, Tasks
from gcsched.adapters.redis.arq_client import open_arq
from gcsched.adapters.redis.clock import RedisClockWatch
from gcsched.adapters.redis.connection import RedisMarks, open_pool
from gcsched.adapters.redis.heartbeats import RedisBeats
from gcsched.adapters.redis.probe import RedisProbe
from gcsched.adapters.redis.rate_limit import RedisBucket
from gcsched.domain.due import DailyPlan
from gcsched.domain.token_bucket import Grant, Speed
from gcsched.errors import BellUnavailable
from tests.support.background import in_background
from tests.support.nonsense_redis import (
    KINDS,
    FakeRedis,
    Reply,
    a_fake_redis,
    always,
    bulk,
    random_reply,
)
from tests.support.relay.script import repeatable
from tests.support.wait import until

ADA, BOB = ("job-1", "claim-1"), ("job-2", "claim-1")
SPEED = Speed(per_second=50, burst=10)
NEVER = DailyPlan(at=dt.time(3, 33), zone=ZoneInfo("UTC"))
LATE = 2_000_000_000
SLOW = {"half a text", "half a line", "silence", "a long text announced"}
QUICK = sorted(set(KINDS) - SLOW)

EACH_TRY_IS_NEWS = ("gcsched.usecases.lasting_trouble.EVERY_SECONDS", 0.0)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Clients:
    """Everything that talks to Redis."""

    marks: RedisMarks
    bucket: RedisBucket
    clock: RedisClockWatch
    bell: ArqBell
    beats: RedisBeats

    @property
    def uses(self) -> dict[str, Callable[[], Awaitable[object]]]:
        return {
            "probe": RedisProbe(redis=self.marks.redis, arq=self.bell.redis).ask,
            "beat": partial(self.beats.beat, "0123456789abcdef:1"),
            "latest": self.beats.latest,
            "note": partial(self.marks.note, [ADA, BOB]),
            "forget": partial(self.marks.forget, [ADA, BOB]),
            "noted": partial(self.marks.noted, [ADA, BOB]),
            "reserve": partial(self.bucket.reserve, 8, SPEED),
            "refund": partial(self.bucket.refund, 3, SPEED),
            "slot": partial(self.bucket.slot, SPEED, patience=2.0),
            "clock": self.clock.measure,
            "ring": partial(self.bell.ring, LATE),
            "missing": partial(self.bell.missing, [LATE, LATE + 1]),
        }


@asynccontextmanager
async def clients_of(fake: FakeRedis) -> AsyncIterator[Clients]:
    redis, arq = Redis(connection_pool=open_pool(fake.url)), open_arq(fake.url)
    try:
        yield Clients(
            marks=RedisMarks(redis=redis),
            bucket=RedisBucket(redis=redis, relay="r:25"),
            clock=RedisClockWatch(redis=redis, now=now),
            bell=ArqBell(redis=arq, now=now),
            beats=RedisBeats(redis=redis, place="somewhere"),
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
        case Grant(count=count, wait_seconds=wait):
            return type(count) is int and 0 <= count <= 8 and 0 <= wait <= 55
        case float():
            return use == "slot" and 0 <= answer <= 2
    return use == "clock" and isinstance(answer, timedelta)


async def come_to(clients: Clients) -> dict[str, object]:
    """Try every use; give what it came to, its BellUnavailable included."""
    tries = [use() for use in clients.uses.values()]
    return dict(
        zip(clients.uses, await asyncio.gather(*tries, return_exceptions=True), strict=True)
    )


@pytest.mark.parametrize("polite", [True, False], ids=["after the handshake", "from the first"])
async def test_no_answer_is_more_than_unavailable(*, polite: bool) -> None:
    begun = time.monotonic()
    async with a_fake_redis() as fake, clients_of(fake) as clients:
        fake.polite = polite
        for kind in QUICK:
            fake.reply = KINDS[kind]
            for use, answer in (await come_to(clients)).items():
                is_unavailable = isinstance(answer, BellUnavailable)
                assert is_unavailable or is_sensible(use, answer), (kind, use, answer)

    assert time.monotonic() - begun < 15


async def test_no_random_answer_is_more_than_unavailable() -> None:
    chance = repeatable(7)
    async with a_fake_redis() as fake, clients_of(fake) as clients:
        fake.reply = lambda _: random_reply(chance)
        for _ in range(150):
            for use, answer in (await come_to(clients)).items():
                assert isinstance(answer, BellUnavailable) or is_sensible(use, answer), (
                    use,
                    answer,
                )


@pytest.mark.parametrize("kind", sorted(SLOW))
async def test_an_answer_that_does_not_end_is_given_up_in_time(kind: str) -> None:
    async with a_fake_redis(KINDS[kind]) as fake, clients_of(fake) as clients:
        begun = time.monotonic()
        answers = await come_to(clients)
        took = time.monotonic() - begun

    assert {type(answer) for answer in answers.values()} == {BellUnavailable}
    assert took < 5


async def test_a_text_without_an_end_fills_no_memory() -> None:
    async with a_fake_redis() as fake, clients_of(fake) as clients:
        fake.floods = True
        tracemalloc.start()
        begun = time.monotonic()
        with pytest.raises(BellUnavailable, match="more than 1048576 octets"):
            await clients.marks.noted([ADA])
        took, (_, peak) = time.monotonic() - begun, tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert took < 1
    assert peak < 16 * 1024 * 1024


async def test_many_items_announced_reserve_no_memory_and_no_time() -> None:
    async with a_fake_redis(KINDS["many items announced"]) as fake, clients_of(fake) as clients:
        begun = time.monotonic()
        with pytest.raises(BellUnavailable, match="announces more items"):
            await clients.marks.noted([ADA])

    assert time.monotonic() - begun < 0.5


@pytest.mark.parametrize("said", [b"1", b"OK", b"0", b"claim-1", b"\xff"])
async def test_what_has_every_key_is_no_proof(said: bytes) -> None:
    def everything(command: list[bytes]) -> bytes:
        return b"*%d\r\n" % (len(command) - 1) + bulk(said) * (len(command) - 1)

    async with a_fake_redis(everything) as fake, clients_of(fake) as clients:
        with pytest.raises(BellUnavailable):
            await clients.marks.noted([ADA, BOB])


@pytest.mark.parametrize("extra", [-1, 1], ids=["one less", "one more"])
async def test_an_answer_to_another_number_of_keys_is_no_proof(extra: int) -> None:
    def others(command: list[bytes]) -> bytes:
        count = len(command) - 1 + extra
        return b"*%d\r\n" % count + bulk(b"1") + b"$-1\r\n" * (count - 1)

    async with a_fake_redis(others) as fake, clients_of(fake) as clients:
        with pytest.raises(BellUnavailable):
            await clients.marks.noted([ADA, BOB])


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
    async with a_fake_redis(always(octets)) as fake, clients_of(fake) as clients:
        with pytest.raises(BellUnavailable, match="Nonsense: it answered"):
            await clients.bucket.reserve(8, SPEED)


@pytest.mark.parametrize("answer", [b":-2\r\n", b":2000001\r\n", b"$1\r\n5\r\n", b"#t\r\n"])
async def test_no_slot_lies_before_now_or_beyond_the_patience(answer: bytes) -> None:
    async with a_fake_redis(always(answer)) as fake, clients_of(fake) as clients:
        with pytest.raises(BellUnavailable, match="Nonsense: it answered"):
            await clients.bucket.slot(SPEED, patience=2.0)


@pytest.mark.parametrize("kind", ["a reply and garbage", "null", "error NOSCRIPT", "HTTP", "true"])
async def test_what_was_nonsense_once_is_usable_when_it_answers_well(kind: str) -> None:
    """redis-py keeps a hash that it was given, and a connection whose parser has failed."""
    async with a_fake_redis(KINDS[kind]) as fake, clients_of(fake) as clients:
        for _ in range(3):
            await come_to(clients)

        fake.reply = lambda command: (
            b"*2\r\n:8\r\n:0\r\n" if command[0].startswith(b"EVAL") else bulk(command[-1])
        )

        assert await clients.bucket.reserve(8, SPEED) == Grant(count=8, wait_seconds=0)


async def test_an_error_says_what_was_wrong_and_repeats_no_text_of_others() -> None:
    secret = always(bulk(b"secret of a neighbour"))
    async with a_fake_redis(secret) as fake, clients_of(fake) as clients:
        with pytest.raises(BellUnavailable) as error:
            await clients.bucket.slot(SPEED, patience=2.0)

    assert str(error.value) == (
        "Redis is unavailable while asking for a slot: Nonsense: it answered bytes of length 21 "
        "instead of an integer from -1 to 2000000"
    )


async def nothing() -> None:
    """Do what a worker is to do."""


def a_worker_pool(connect: Callable[[], ArqRedis], wakes: list[int]) -> ArqWorkerPool:
    tasks = Tasks(on_wake=wakes.append, after_wake=nothing, sweep=nothing, daily_run=nothing)
    return ArqWorkerPool(connect=connect, tasks=tasks, daily=NEVER, max_jobs=5, now=now)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the pauses of the workers shorter than a test has time for."""
    monkeypatch.setattr("gcsched.adapters.redis.arq.FIRST_BACK_OFF", 0.01)
    monkeypatch.setattr("gcsched.adapters.redis.arq.LONGEST_BACK_OFF", 0.02)
    monkeypatch.setattr("gcsched.adapters.redis.arq.POLLS_PER_SECOND", 50)


@pytest.mark.usefixtures("hurried")
async def test_no_answer_ends_the_workers() -> None:
    wakes: list[int] = []
    async with (
        a_fake_redis() as fake,
        in_background(a_worker_pool(partial(open_arq, fake.url), wakes).run),
    ):
        for kind in QUICK:
            fake.reply = KINDS[kind]
            fake.heard.clear()
            fake.drop_all()
            await until(lambda: len(fake.heard) > 3)

    assert all(type(each) is int for each in wakes)


@pytest.mark.usefixtures("hurried")
async def test_a_worker_that_cannot_be_built_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(*EACH_TRY_IS_NEWS)

    def broken() -> ArqRedis:
        raise ZeroDivisionError("no client today")

    pool = a_worker_pool(broken, [])
    with capture_logs() as logs:
        async with in_background(pool.run):
            await until(lambda: len(logs) > 3)

    assert {(log["error"], log["reason"]) for log in logs} == {
        ("ZeroDivisionError", "ZeroDivisionError: no client today")
    }


def a_poisoned_queue() -> Reply:
    """Make a queue that always has a wake-up whose data cannot be read."""
    queued: list[bytes] | None = None
    always_so = {b"ZRANGEBYSCORE": b"*1\r\n" + bulk(b"gcsched:wake:1"), b"ZSCORE": bulk(b"1")}

    def answer(command: list[bytes]) -> bytes:
        nonlocal queued
        name, meant = command[0].upper(), queued
        if name == b"MULTI":
            queued = []
        elif name == b"EXEC" and meant is not None:
            queued = None
            items = [bulk(b"\xc1") if each == b"GET" else b":1\r\n" for each in meant]
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
    monkeypatch.setattr(*EACH_TRY_IS_NEWS)
    with capture_logs() as logs:
        async with a_fake_redis(a_poisoned_queue()) as fake:
            pool = a_worker_pool(partial(open_arq, fake.url), [])
            async with in_background(pool.run):
                await until(lambda: len(logs) == 2)

    assert {log["error"] for log in logs} == {"TooManyFailures"}
    assert 16 <= caplog.text.count("deserializing job gcsched:wake:1 failed") <= 100
