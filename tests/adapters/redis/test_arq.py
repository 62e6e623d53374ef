"""The bell and its listeners on a real Valkey; oracle: the keys there, and who is called."""

import asyncio
import datetime as dt
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgpack
import pytest
import redis
from arq.connections import ArqRedis
from arq.cron import CronJob
from redis.asyncio import Connection
from structlog.testing import capture_logs

from gcsched.adapters.redis.arq import ArqBell, ArqWorkerPool, Tasks, until_next_poll
from gcsched.adapters.redis.arq_client import open_arq
from gcsched.domain.due import DailyPlan
from gcsched.errors import BellUnavailable, StoreUnavailable
from tests.support.builders import running
from tests.support.stores import OwnServer, own_valkey
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


@pytest.fixture
async def bell(redis_url: str) -> AsyncIterator[ArqBell]:
    async with bell_at(redis_url) as bell:
        yield bell


@pytest.fixture
def heard() -> Heard:
    return Heard()


def keys(url: str) -> set[str]:
    with redis.Redis.from_url(url, decode_responses=True) as raw:
        return set(raw.scan_iter())


async def test_a_second_is_one_job_however_often_it_is_rung(bell: ArqBell, redis_url: str) -> None:
    due = second(ahead=30)

    await asyncio.gather(*[bell.ring(due) for _ in range(20)])
    await bell.ring(due)

    assert keys(redis_url) == {"gcsched:queue", f"arq:job:gcsched:wake:{due}"}
    with redis.Redis.from_url(redis_url) as raw:
        queued = raw.zrange("gcsched:queue", 0, -1, withscores=True)
    assert queued == [(f"gcsched:wake:{due}".encode(), due * 1000)]


@pytest.mark.parametrize("due", [LONG_AGO, 0, 1], ids=["long ago", "zero", "one"])
async def test_a_second_in_the_past_rings_now(bell: ArqBell, redis_url: str, due: int) -> None:
    before = time.time() * 1000

    await bell.ring(due)

    with redis.Redis.from_url(redis_url) as raw:
        [(_, score)] = raw.zrange("gcsched:queue", 0, -1, withscores=True)
    assert before - 1 <= score <= time.time() * 1000 + 1


async def test_what_was_not_rung_is_missing(bell: ArqBell) -> None:
    coming = int(time.time()) + 30
    await bell.ring(coming)

    missing = await bell.missing([coming, coming + 1])

    assert set(missing) == {coming + 1}


async def test_there_is_no_pickle_in_redis(bell: ArqBell, redis_url: str) -> None:
    due = second(ahead=30)
    await bell.ring(due)

    with redis.Redis.from_url(redis_url) as raw:
        stored = raw.get(f"arq:job:gcsched:wake:{due}")

    assert isinstance(stored, bytes)
    job: dict[str, Any] = msgpack.unpackb(stored)
    assert (job["f"], job["a"], job["k"]) == ("gcsched:wake", [due], {})


async def test_a_wake_up_is_called_with_its_second_not_before_and_once(
    bell: ArqBell, heard: Heard, redis_url: str
) -> None:
    due = second(ahead=2)

    async with running(a_pool(redis_url, heard).run):
        for _ in range(5):
            await bell.ring(due)
        await until(lambda: heard.wakes)
        late = time.time() - due
        await until(lambda: not keys(redis_url) & {f"arq:job:gcsched:wake:{due}"})

    assert heard.wakes == [due]
    assert 0 <= late < 0.25


async def test_two_replicas_hear_each_wake_up_once(bell: ArqBell, redis_url: str) -> None:
    heard = [Heard(), Heard()]
    seconds = [LONG_AGO + number for number in range(40)]

    async with running(a_pool(redis_url, heard[0]).run), running(a_pool(redis_url, heard[1]).run):
        for due in seconds:
            await bell.ring(due)
        await until(lambda: len(heard[0].wakes) + len(heard[1].wakes) >= 40)

    assert sorted(heard[0].wakes + heard[1].wakes) == seconds


async def test_after_a_wake_up_the_same_second_can_be_rung_again(
    bell: ArqBell, heard: Heard, redis_url: str
) -> None:
    left: list[set[str]] = []

    async def ring_again() -> None:
        left.append(keys(redis_url) - {"gcsched:health"})
        if len(left) < 3:
            await bell.ring(LONG_AGO)

    heard.after_wake = ring_again
    async with running(a_quiet_pool(redis_url, heard).run):
        await bell.ring(LONG_AGO)
        await until(lambda: len(left) == 3)

    assert heard.wakes == [LONG_AGO] * 3
    assert left == [set(), set(), set()]


async def rung_and_heard(bell: ArqBell, heard: Heard, due: int) -> None:
    await bell.ring(due)
    await until(lambda: due in heard.wakes)


async def test_a_store_that_is_away_after_a_wake_up_ends_no_worker(
    bell: ArqBell, heard: Heard, redis_url: str
) -> None:
    async def away() -> None:
        raise StoreUnavailable("looking for due jobs")

    heard.after_wake = away
    with capture_logs() as logs:
        async with running(a_pool(redis_url, heard).run):
            for number in range(3):
                await rung_and_heard(bell, heard, LONG_AGO + number)

    assert heard.wakes == [LONG_AGO, LONG_AGO + 1, LONG_AGO + 2]
    assert logs == []


async def test_a_defect_after_a_wake_up_costs_a_worker_and_is_told_and_another_takes_over(
    bell: ArqBell, heard: Heard, redis_url: str
) -> None:
    async def broken() -> None:
        heard.after_wake = nothing
        raise ZeroDivisionError

    heard.after_wake = broken
    with capture_logs() as logs:
        async with running(a_pool(redis_url, heard).run):
            await bell.ring(LONG_AGO)
            await until(lambda: logs)
            await bell.ring(LONG_AGO + 1)
            await until(lambda: heard.wakes == [LONG_AGO, LONG_AGO + 1])

    assert [log["error"] for log in logs] == ["ZeroDivisionError"]


async def test_every_key_bears_our_name(bell: ArqBell, heard: Heard, redis_url: str) -> None:
    seen: set[str] = set()

    async def look() -> bool:
        seen.update(keys(redis_url))
        return any("in-progress" in key for key in seen)

    async def look_until_it_works() -> None:
        await until(look)

    heard.after_wake = look_until_it_works
    async with running(a_pool(redis_url, heard).run):
        await bell.ring(second(ahead=1))
        await bell.ring(LONG_AGO)
        await until(look, every=0.0)

    before_our_name = {key.partition("gcsched:")[0] for key in seen}
    assert before_our_name <= {"", "arq:job:", "arq:in-progress:", "arq:retry:"}
    assert {key for key in seen if "gcsched:" not in key} == set()


async def test_when_all_is_done_nothing_stays_in_redis(
    bell: ArqBell, heard: Heard, redis_url: str
) -> None:
    async with running(a_quiet_pool(redis_url, heard).run):
        for number in range(20):
            await bell.ring(LONG_AGO + number)
        await until(lambda: len(heard.wakes) == 20)
        await until(lambda: keys(redis_url) == {"gcsched:health"})

    with redis.Redis.from_url(redis_url) as raw:
        assert raw.ttl("gcsched:health") in range(1, 12)


async def test_it_wakes_again_after_everything_was_flushed(
    bell: ArqBell, heard: Heard, redis_url: str
) -> None:
    due = second(ahead=1)
    with capture_logs() as logs:
        async with running(a_pool(redis_url, heard).run):
            await bell.ring(due)
            await until(lambda: "gcsched:health" in keys(redis_url))
            with redis.Redis.from_url(redis_url) as raw:
                raw.flushdb()
            await bell.ring(due)
            await until(lambda: heard.wakes)

    assert heard.wakes == [due]
    assert logs == []


async def test_a_wake_up_whose_data_are_lost_is_a_word_and_no_traceback(
    bell: ArqBell, heard: Heard, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with redis.Redis.from_url(redis_url) as raw:
        raw.zadd("gcsched:queue", {"gcsched:wake:lost": 1})
        async with running(a_pool(redis_url, heard).run):
            await until(lambda: "expired" in caplog.text)
            await bell.ring(second())
            await until(lambda: heard.wakes)
        assert raw.zscore("gcsched:queue", "gcsched:wake:lost") is None

    assert "Traceback" not in caplog.text


async def wakes_again(server: OwnServer, heard: Heard) -> bool:
    before = len(heard.wakes)

    async def is_heard() -> bool:
        async with bell_at(server.uri) as bell:
            await bell.ring(second())
        return len(heard.wakes) > before

    return await until(is_heard, every=0.1)


async def test_a_redis_that_died_and_came_back_is_listened_to_again(
    heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.lasting_trouble.EVERY_SECONDS", 0.0)  # each try is news
    with capture_logs() as logs:
        async with own_valkey(tmp_path) as server, running(a_pool(server.uri, heard).run):
            assert await wakes_again(server, heard)
            server.kill()
            await until(lambda: len(logs) >= 2)
            await server.start()

            assert await wakes_again(server, heard)

    assert {log["event"] for log in logs} <= {"arq worker ended", "arq worker lives again"}
    waits = [log["again_in_seconds"] for log in logs if "again_in_seconds" in log]
    assert waits == [0.5, 1.0, 2.0][: len(waits)]


async def test_a_redis_that_was_silent_and_speaks_again_is_listened_to_again(
    heard: Heard, tmp_path: Path
) -> None:
    with capture_logs() as logs:
        async with own_valkey(tmp_path) as server, running(a_pool(server.uri, heard).run):
            assert await wakes_again(server, heard)
            server.stop_signal()
            await until(lambda: logs)
            server.cont()

            assert await wakes_again(server, heard)

    assert {log["error"] for log in logs} == {"TimeoutError"}


async def test_a_worker_that_a_silent_redis_ended_leaves_no_connection_open(
    heard: Heard, tmp_path: Path
) -> None:
    def connections(server: OwnServer) -> int:
        with redis.Redis.from_url(server.uri) as raw:
            return len(raw.client_list()) - 1

    with capture_logs() as logs:
        async with own_valkey(tmp_path) as server:
            async with running(a_quiet_pool(server.uri, heard).run), bell_at(server.uri) as bell:
                for number in range(20):
                    await bell.ring(LONG_AGO + number)
                await until(lambda: len(heard.wakes) == 20)
                several = connections(server) - 1
                server.stop_signal()
                await until(lambda: logs)
                server.cont()
                await rung_and_heard(bell, heard, LONG_AGO + 20)

            await until(lambda: connections(server) == 0)

    assert several > 1


async def test_a_bell_gives_up_on_a_silent_redis_after_two_seconds(tmp_path: Path) -> None:
    async with own_valkey(tmp_path) as server, bell_at(server.uri) as bell:
        await bell.ring(LONG_AGO)
        server.stop_signal()

        begun = time.monotonic()
        with pytest.raises(BellUnavailable):
            await bell.ring(LONG_AGO + 1)

        assert 1.9 < time.monotonic() - begun < 2.9
        server.cont()
        await bell.ring(LONG_AGO + 2)


async def test_a_bell_tells_a_dead_redis_at_once(tmp_path: Path) -> None:
    async with own_valkey(tmp_path) as server, bell_at(server.uri) as bell:
        await bell.ring(LONG_AGO)
        server.kill()

        begun = time.monotonic()
        with pytest.raises(BellUnavailable):
            await bell.ring(LONG_AGO + 1)

        assert time.monotonic() - begun < 1


async def test_an_idle_pool_stops_at_once_and_leaves_no_connection(
    heard: Heard, redis_url: str
) -> None:
    def connections() -> int:
        with redis.Redis.from_url(redis_url) as raw:
            return len(raw.client_list()) - 1

    before = connections()
    async with running(a_pool(redis_url, heard).run):
        await until(lambda: "gcsched:health" in keys(redis_url))
        begun = time.monotonic()

    assert time.monotonic() - begun < 1
    await until(lambda: connections() == before)


async def test_a_pool_in_the_middle_of_work_stops_within_a_second(
    bell: ArqBell, heard: Heard, redis_url: str
) -> None:
    hanging = asyncio.Event()

    async def hang() -> None:
        hanging.set()
        await asyncio.Event().wait()

    heard.after_wake = hang
    async with running(a_pool(redis_url, heard).run):
        await bell.ring(LONG_AGO)
        await hanging.wait()
        begun = time.monotonic()

    assert time.monotonic() - begun < 1.2


@pytest.mark.parametrize("steps", range(8))
async def test_a_pool_that_is_stopped_while_it_sends_a_command_stops_all_the_same(
    heard: Heard, redis_url: str, steps: int
) -> None:
    """Up to Python 3.11 asyncio.wait_for overhears a cancel at the moment its work is done."""
    stop_now: list[asyncio.Event] = []

    def connect() -> ArqRedis:
        client = open_arq(redis_url)
        client.connection_pool.connection_class = StoppedAsItSends
        return client

    class StoppedAsItSends(Connection):
        async def _send_packed_command(self, command: Iterable[bytes]) -> None:
            await super()._send_packed_command(command)
            if stop_now:
                stop_now.pop().set()
                for _ in range(steps):
                    await asyncio.sleep(0)

    pool = WakesOnly(connect=connect, tasks=heard.tasks(), daily=NOT_NOW, max_jobs=5, now=now)
    async with running(pool.run) as stop:
        await until(lambda: "gcsched:health" in keys(redis_url))
        stop_now.append(stop)
        await stop.wait()
        begun = time.monotonic()

    assert time.monotonic() - begun < 1


async def test_a_pool_stops_soon_while_redis_is_silent(heard: Heard, tmp_path: Path) -> None:
    async with own_valkey(tmp_path) as server:
        async with running(a_pool(server.uri, heard).run):
            assert await wakes_again(server, heard)
            server.stop_signal()
            begun = time.monotonic()

        assert time.monotonic() - begun < 3
        server.cont()


@pytest.mark.parametrize("how", ["silent", "dead"])
async def test_a_stop_while_the_end_of_jobs_is_recorded_is_no_error(
    how: str, heard: Heard, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """ARQ shields that record, so a cancel leaves it alone with a pool that is then closed."""
    async with own_valkey(tmp_path) as server:
        seconds = [LONG_AGO + each for each in range(4)]

        async def away() -> None:
            (server.stop_signal if how == "silent" else server.kill)()

        class Awaiting(WakesOnly):
            async def _wake(self, second: object) -> None:
                await super()._wake(second)
                await until(lambda: len(heard.wakes) == len(seconds))
                await away()

        pool = Awaiting(
            connect=partial(open_arq, server.uri),
            tasks=heard.tasks(),
            daily=NOT_NOW,
            max_jobs=5,
            now=now,
        )
        async with bell_at(server.uri) as bell:
            for each in seconds:
                await bell.ring(each)
        with capture_logs():
            async with running(pool.run):
                await until(lambda: len(heard.wakes) == len(seconds))
        gc.collect()
        if how == "silent":
            server.cont()

    assert [each.getMessage() for each in caplog.records if each.name == "asyncio"] == []


async def test_a_pool_stops_at_once_while_redis_is_dead(heard: Heard, tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with own_valkey(tmp_path) as server:
            async with running(a_pool(server.uri, heard).run):
                assert await wakes_again(server, heard)
                server.kill()
                await until(lambda: logs)
                begun = time.monotonic()

            assert time.monotonic() - begun < 1


async def test_the_sweep_comes_every_ten_seconds_and_the_daily_run_at_its_time(
    heard: Heard, redis_url: str
) -> None:
    """The clock is a real one, so this takes up to ten seconds; it is the only such test."""
    in_two_seconds = datetime.now(ZoneInfo("Asia/Kolkata")) + timedelta(seconds=2)
    at = in_two_seconds.replace(microsecond=0)
    daily = DailyPlan(at=at.time(), zone=ZoneInfo("Asia/Kolkata"))

    async with running(a_pool(redis_url, heard, daily=daily).run):
        await until(lambda: heard.sweeps and heard.daily_runs, within=11.5)

    assert heard.sweeps[0] % 10 < 0.6
    assert 0 <= heard.daily_runs[0] - at.timestamp() < 0.6
    assert len(heard.daily_runs) == 1


@pytest.mark.parametrize("moment", [100.0, 100.1, 100.25, 100.2519, 100.2521, 100.9999])
def test_the_next_look_is_just_after_the_next_quarter_of_a_second(moment: float) -> None:
    look = moment + until_next_poll(moment)

    assert 0 < look - moment <= 0.2501
    assert look % 0.25 == pytest.approx(0.002)


async def test_a_worker_that_died_is_trouble_until_one_lives(heard: Heard, tmp_path: Path) -> None:
    with capture_logs():
        async with own_valkey(tmp_path) as server:
            pool = a_pool(server.uri, heard)
            async with running(pool.run):
                assert await wakes_again(server, heard)
                assert pool.trouble is None
                server.kill()
                await until(lambda: pool.trouble)
                assert str(pool.trouble).startswith("takes no wake-ups: a worker ended: ")
                await server.start()

                await until(lambda: pool.trouble is None)


async def test_a_worker_whose_jobs_cannot_begin_is_trouble(heard: Heard, tmp_path: Path) -> None:
    async with own_valkey(tmp_path) as server:
        with redis.Redis.from_url(server.uri) as raw:
            rules = ("on", ">s3cret", "~gcsched:*", "~arq:job:*", "+@all")
            raw.execute_command("ACL", "SETUSER", "ada", *rules)
            raw.zadd("gcsched:queue", {"gcsched:wake:1": 1})
        pool = a_quiet_pool(f"redis://ada:s3cret@127.0.0.1:{server.port}", heard)
        with capture_logs() as logs:
            async with running(pool.run):
                await until(lambda: logs)
                trouble = pool.trouble

    assert trouble is not None
    assert trouble.startswith("takes no wake-ups: a worker ended: ")
    assert "give its user the keys" in trouble


SECRET = "secret-of-a-neighbour"
OTHERS: dict[str, Any] = {
    "another function": {"f": SECRET, "a": [], "k": {}, "t": None, "et": 1},
    "a function of octets": {"f": SECRET.encode() + b"\x80\x04", "a": [], "k": {}, "t": None},
    "a function that is a list": {"f": [SECRET], "a": [], "k": {}, "t": None, "et": 1},
    "another argument": {"f": "gcsched:wake", "a": [SECRET], "k": {}, "t": None, "et": 1},
    "too many arguments": {"f": "gcsched:wake", "a": [1, SECRET], "k": {}, "t": None, "et": 1},
    "named arguments": {"f": "gcsched:wake", "a": [1], "k": {SECRET: 1}, "t": None, "et": 1},
    "no job": [SECRET],
    "a text": SECRET,
}


@pytest.mark.parametrize("kind", [*OTHERS, "a pickle", "octets"])
async def test_what_others_store_as_a_job_is_not_repeated_in_the_log(
    bell: ArqBell, heard: Heard, redis_url: str, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    octets = {"a pickle": b"\x80\x04\x95X" + SECRET.encode() + b"\x94.", "octets": b"\xff" * 99}
    stored = octets.get(kind) or msgpack.packb(OTHERS[kind])
    with redis.Redis.from_url(redis_url) as raw, capture_logs() as logs:
        raw.set("arq:job:gcsched:wake:other", stored)
        raw.zadd("gcsched:queue", {"gcsched:wake:other": 1})
        async with running(a_quiet_pool(redis_url, heard).run):
            await until(lambda: not raw.exists("arq:job:gcsched:wake:other"))
            await rung_and_heard(bell, heard, LONG_AGO)

    written = caplog.text + "".join(map(str, logs))
    assert "gcsched:wake:other" in written, "it is told that it was thrown away"
    assert [word for word in (SECRET, "\\x", "\x80", "\xff") if word in written] == []
    assert heard.wakes == [LONG_AGO]


async def test_a_job_that_was_being_finished_as_its_worker_ended_is_no_error_of_asyncio(
    heard: Heard, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    finishing = asyncio.Event()

    class SaysThatItFinishes(Connection):
        async def _send_packed_command(self, command: Iterable[bytes]) -> None:
            packed = b"".join(command)
            if b"arq:abort" in packed:
                server.stop_signal()
                finishing.set()
            await super()._send_packed_command([packed])

    def connect() -> ArqRedis:
        client = open_arq(server.uri)
        client.connection_pool.connection_class = SaysThatItFinishes
        return client

    async with own_valkey(tmp_path) as server:
        pool = WakesOnly(connect=connect, tasks=heard.tasks(), daily=NOT_NOW, max_jobs=5, now=now)
        async with bell_at(server.uri) as bell:
            await bell.ring(LONG_AGO)
        async with running(pool.run):
            await finishing.wait()
        server.cont()
    gc.collect()
    await asyncio.sleep(0)

    assert "never retrieved" not in caplog.text
