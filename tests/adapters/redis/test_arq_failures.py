"""Wake-ups when Redis dies, is silent, or holds jobs of other programs."""

import time
from pathlib import Path
from typing import Any

import msgpack
import pytest
import redis
from structlog.testing import capture_logs

from gcsched.adapters.redis.arq import ArqWakeUpQueue
from gcsched.errors import RedisUnavailable, StoreUnavailable
from tests.support.arq_pools import (
    LONG_AGO,
    ReceivedWakeUps,
    a_pool_without_crons,
    an_arq_pool,
    do_nothing,
    keys,
    receives_again,
    unix_second,
    wake_ups_at,
)
from tests.support.background import in_background
from tests.support.stores import OwnServer, own_valkey
from tests.support.wait import until


async def schedule_and_receive(
    wake_ups: ArqWakeUpQueue, received: ReceivedWakeUps, due: int
) -> None:
    await wake_ups.enqueue(due)
    await until(lambda: due in received.seconds)


async def test_a_store_that_is_away_after_a_wake_up_ends_no_worker(
    wake_ups: ArqWakeUpQueue, received: ReceivedWakeUps, redis_url: str
) -> None:
    async def raise_unavailable() -> None:
        raise StoreUnavailable("looking for due jobs")

    received.after_wake_up = raise_unavailable
    with capture_logs() as logs:
        async with in_background(an_arq_pool(redis_url, received).run):
            for number in range(3):
                await schedule_and_receive(wake_ups, received, LONG_AGO + number)

    assert received.seconds == [LONG_AGO, LONG_AGO + 1, LONG_AGO + 2]
    assert logs == []


async def test_a_defect_after_a_wake_up_ends_a_worker_and_is_logged_and_another_takes_over(
    wake_ups: ArqWakeUpQueue, received: ReceivedWakeUps, redis_url: str
) -> None:
    async def raise_defect() -> None:
        received.after_wake_up = do_nothing
        raise ZeroDivisionError

    received.after_wake_up = raise_defect
    with capture_logs() as logs:
        async with in_background(an_arq_pool(redis_url, received).run):
            await wake_ups.enqueue(LONG_AGO)
            await until(lambda: logs)
            await wake_ups.enqueue(LONG_AGO + 1)
            await until(lambda: received.seconds == [LONG_AGO, LONG_AGO + 1])

    assert [log["error"] for log in logs] == ["ZeroDivisionError"]


async def test_wake_ups_arrive_after_everything_was_flushed(
    wake_ups: ArqWakeUpQueue, received: ReceivedWakeUps, redis_url: str
) -> None:
    due = unix_second(ahead=1)
    with capture_logs() as logs:
        async with in_background(an_arq_pool(redis_url, received).run):
            await wake_ups.enqueue(due)
            await until(lambda: "gcsched:health" in keys(redis_url))
            with redis.Redis.from_url(redis_url) as raw:
                raw.flushdb()
            await wake_ups.enqueue(due)
            await until(lambda: received.seconds)

    assert received.seconds == [due]
    assert logs == []


async def test_a_wake_up_whose_data_is_lost_is_logged_without_a_traceback(
    wake_ups: ArqWakeUpQueue,
    received: ReceivedWakeUps,
    redis_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with redis.Redis.from_url(redis_url) as raw:
        raw.zadd("gcsched:queue", {"gcsched:wake:lost": 1})
        async with in_background(an_arq_pool(redis_url, received).run):
            await until(lambda: "expired" in caplog.text)
            await wake_ups.enqueue(unix_second())
            await until(lambda: received.seconds)
        assert raw.zscore("gcsched:queue", "gcsched:wake:lost") is None

    assert "Traceback" not in caplog.text


async def test_wake_ups_arrive_again_after_redis_died_and_came_back(
    received: ReceivedWakeUps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "gcsched.usecases.problem_log.REPEAT_AFTER_SECONDS", 0.0
    )  # each try is logged
    with capture_logs() as logs:
        async with (
            own_valkey(tmp_path) as server,
            in_background(an_arq_pool(server.uri, received).run),
        ):
            assert await receives_again(server, received)
            server.kill()
            await until(lambda: len(logs) >= 2)
            await server.start()

            assert await receives_again(server, received)

    assert {log["event"] for log in logs} <= {"arq worker ended", "arq worker restarted"}
    waits = [log["retry_in_seconds"] for log in logs if "retry_in_seconds" in log]
    assert waits == [0.5, 1.0, 2.0][: len(waits)]


async def test_wake_ups_arrive_again_after_redis_was_silent(
    received: ReceivedWakeUps, tmp_path: Path
) -> None:
    with capture_logs() as logs:
        async with (
            own_valkey(tmp_path) as server,
            in_background(an_arq_pool(server.uri, received).run),
        ):
            assert await receives_again(server, received)
            server.freeze()
            await until(lambda: logs)
            server.resume()

            assert await receives_again(server, received)

    assert {log["error"] for log in logs} == {"TimeoutError"}


async def test_a_worker_that_a_silent_redis_ended_leaves_no_connection_open(
    received: ReceivedWakeUps, tmp_path: Path
) -> None:
    def connections(server: OwnServer) -> int:
        with redis.Redis.from_url(server.uri) as raw:
            return len(raw.client_list()) - 1

    with capture_logs() as logs:
        async with own_valkey(tmp_path) as server:
            async with (
                in_background(a_pool_without_crons(server.uri, received).run),
                wake_ups_at(server.uri) as wake_ups,
            ):
                for number in range(20):
                    await wake_ups.enqueue(LONG_AGO + number)
                await until(lambda: len(received.seconds) == 20)
                several = connections(server) - 1
                server.freeze()
                await until(lambda: logs)
                server.resume()
                await schedule_and_receive(wake_ups, received, LONG_AGO + 20)

            await until(lambda: connections(server) == 0)

    assert several > 1


async def test_enqueuing_gives_up_on_a_silent_redis_after_two_seconds(tmp_path: Path) -> None:
    async with own_valkey(tmp_path) as server, wake_ups_at(server.uri) as wake_ups:
        await wake_ups.enqueue(LONG_AGO)
        server.freeze()

        start = time.monotonic()
        with pytest.raises(RedisUnavailable):
            await wake_ups.enqueue(LONG_AGO + 1)

        assert 1.9 < time.monotonic() - start < 2.9
        server.resume()
        await wake_ups.enqueue(LONG_AGO + 2)


async def test_enqueuing_reports_a_dead_redis_at_once(tmp_path: Path) -> None:
    async with own_valkey(tmp_path) as server, wake_ups_at(server.uri) as wake_ups:
        await wake_ups.enqueue(LONG_AGO)
        server.kill()

        start = time.monotonic()
        with pytest.raises(RedisUnavailable):
            await wake_ups.enqueue(LONG_AGO + 1)

        assert time.monotonic() - start < 1


async def test_a_worker_that_ended_is_a_problem_until_another_one_runs(
    received: ReceivedWakeUps, tmp_path: Path
) -> None:
    with capture_logs():
        async with own_valkey(tmp_path) as server:
            pool = an_arq_pool(server.uri, received)
            async with in_background(pool.run):
                assert await receives_again(server, received)
                assert pool.problem is None
                server.kill()
                await until(lambda: pool.problem)
                assert str(pool.problem).startswith("no wake-ups are received: the worker ended: ")
                await server.start()

                await until(lambda: pool.problem is None)


async def test_a_worker_whose_jobs_cannot_start_is_a_problem(
    received: ReceivedWakeUps, tmp_path: Path
) -> None:
    async with own_valkey(tmp_path) as server:
        with redis.Redis.from_url(server.uri) as raw:
            rules = ("on", ">s3cret", "~gcsched:*", "~arq:job:*", "+@all")
            raw.execute_command("ACL", "SETUSER", "ada", *rules)
            raw.zadd("gcsched:queue", {"gcsched:wake:1": 1})
        pool = a_pool_without_crons(f"redis://ada:s3cret@127.0.0.1:{server.port}", received)
        with capture_logs() as logs:
            async with in_background(pool.run):
                await until(lambda: logs)
                problem = pool.problem

    assert problem is not None
    assert problem.startswith("no wake-ups are received: the worker ended: ")
    assert "give its user the keys" in problem


SECRET = "secret-of-a-neighbour"


FOREIGN_JOBS: dict[str, Any] = {
    "another function": {"f": SECRET, "a": [], "k": {}, "t": None, "et": 1},
    "a function of octets": {"f": SECRET.encode() + b"\x80\x04", "a": [], "k": {}, "t": None},
    "a function that is a list": {"f": [SECRET], "a": [], "k": {}, "t": None, "et": 1},
    "another argument": {"f": "gcsched:wake", "a": [SECRET], "k": {}, "t": None, "et": 1},
    "too many arguments": {"f": "gcsched:wake", "a": [1, SECRET], "k": {}, "t": None, "et": 1},
    "named arguments": {"f": "gcsched:wake", "a": [1], "k": {SECRET: 1}, "t": None, "et": 1},
    "not a job": [SECRET],
    "a text": SECRET,
}


@pytest.mark.parametrize("kind", [*FOREIGN_JOBS, "a pickle", "octets"])
async def test_a_foreign_job_is_not_repeated_in_the_log(
    wake_ups: ArqWakeUpQueue,
    received: ReceivedWakeUps,
    redis_url: str,
    caplog: pytest.LogCaptureFixture,
    kind: str,
) -> None:
    octets = {"a pickle": b"\x80\x04\x95X" + SECRET.encode() + b"\x94.", "octets": b"\xff" * 99}
    stored = octets.get(kind) or msgpack.packb(FOREIGN_JOBS[kind])
    with redis.Redis.from_url(redis_url) as raw, capture_logs() as logs:
        raw.set("arq:job:gcsched:wake:other", stored)
        raw.zadd("gcsched:queue", {"gcsched:wake:other": 1})
        async with in_background(a_pool_without_crons(redis_url, received).run):
            await until(lambda: not raw.exists("arq:job:gcsched:wake:other"))
            await schedule_and_receive(wake_ups, received, LONG_AGO)

    written = caplog.text + "".join(map(str, logs))
    assert "gcsched:wake:other" in written, "the log says that it was removed"
    assert [each for each in (SECRET, "\\x", "\x80", "\xff") if each in written] == []
    assert received.seconds == [LONG_AGO]
