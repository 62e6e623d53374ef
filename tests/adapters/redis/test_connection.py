"""Marks in a real Valkey; oracle: the keys that redis-py's own client finds."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
import redis
import trustme
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gcsched.adapters.redis.arq_client import open_arq
from gcsched.adapters.redis.connection import (
    RedisSentMarkerStore,
    open_pool,
    warn_of_too_few_connections,
)
from gcsched.dev.stores.valkey import Valkey, ValkeyOptions
from gcsched.errors import RedisUnavailable
from tests.support.ports import free_port
from tests.support.proxy import a_proxy
from tests.support.sent_markers import open_sent_markers
from tests.support.stores import own_valkey, run_own

A_DAY = 24 * 60 * 60
ADA = ("job-1", "claim-1")
BOB = ("job-2", "claim-1")
MarksCall = Callable[[RedisSentMarkerStore], Awaitable[object]]
MARKS_CALLS: dict[str, MarksCall] = {
    "add": lambda marks: marks.write(added=[ADA]),
    "remove": lambda marks: marks.write(removed=[ADA]),
    "find": lambda marks: marks.find([ADA]),
}


@pytest.fixture
async def marks(redis_url: str) -> AsyncIterator[RedisSentMarkerStore]:
    async with open_sent_markers(redis_url) as marks:
        yield marks


async def run_all(marks: RedisSentMarkerStore) -> dict[str, BaseException | object]:
    """Make every call at once; return the result or the error of each."""
    tries = [call(marks) for call in MARKS_CALLS.values()]
    return dict(zip(MARKS_CALLS, await asyncio.gather(*tries, return_exceptions=True), strict=True))


async def can_use(marks: RedisSentMarkerStore) -> bool:
    await marks.write(added=[ADA])
    return set(await marks.find([ADA, BOB])) == {ADA}


async def test_a_mark_names_job_and_claim_and_lasts_for_a_day(
    marks: RedisSentMarkerStore, redis_url: str
) -> None:
    await marks.write(added=[ADA, BOB])

    with redis.Redis.from_url(redis_url) as raw:
        found = {key: raw.ttl(key) for key in raw.scan_iter()}
    assert set(found) == {b"gcsched:sent:job-1:claim-1", b"gcsched:sent:job-2:claim-1"}
    assert all(A_DAY - 10 < ttl <= A_DAY for ttl in found.values())


async def test_only_marks_of_the_same_claim_are_found(
    marks: RedisSentMarkerStore,
) -> None:
    await marks.write(added=[ADA, BOB])

    queried = [ADA, ("job-1", "claim-2"), ("job-3", "claim-1")]

    assert set(await marks.find(queried)) == {ADA}


async def test_removed_marks_leave_nothing_behind(
    marks: RedisSentMarkerStore, redis_url: str
) -> None:
    await marks.write(added=[ADA, BOB])

    await marks.write(removed=[ADA, ("never", "added")])

    assert set(await marks.find([ADA, BOB])) == {BOB}
    with redis.Redis.from_url(redis_url) as raw:
        assert list(raw.scan_iter()) == [b"gcsched:sent:job-2:claim-1"]


async def test_marks_are_added_and_removed_by_one_call(
    marks: RedisSentMarkerStore, redis_url: str
) -> None:
    await marks.write(added=[ADA])

    await marks.write(added=[BOB], removed=[ADA, ("never", "added")])

    with redis.Redis.from_url(redis_url) as raw:
        assert list(raw.scan_iter()) == [b"gcsched:sent:job-2:claim-1"]


async def test_many_marks_are_added_and_found_at_once(marks: RedisSentMarkerStore) -> None:
    many = [(f"job-{number}", "claim-1") for number in range(500)]

    await marks.write(added=many[:250])

    assert set(await marks.find(many)) == set(many[:250])


async def test_requests_to_a_silent_redis_time_out_after_two_seconds(tmp_path: Path) -> None:
    async def time_out(call: MarksCall, marks: RedisSentMarkerStore) -> float:
        start = time.monotonic()
        with pytest.raises(RedisUnavailable):
            await call(marks)
        return time.monotonic() - start

    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(own_valkey(tmp_path))
        each = {
            call: await stack.enter_async_context(open_sent_markers(server.uri))
            for call in MARKS_CALLS.values()
        }
        assert all([await can_use(marks) for marks in each.values()])
        server.freeze()

        took = await asyncio.gather(*[time_out(call, marks) for call, marks in each.items()])

        server.resume()
        assert min(took) > 1.9
        assert max(took) < 2.5
        assert all([await can_use(marks) for marks in each.values()])


async def test_a_dead_redis_is_noticed_at_once_and_a_new_one_is_found_again(
    tmp_path: Path,
) -> None:
    async with own_valkey(tmp_path) as server, open_sent_markers(server.uri) as marks:
        assert await can_use(marks)
        server.kill()

        start = time.monotonic()
        answers = await run_all(marks)
        took = time.monotonic() - start

        assert {type(answer) for answer in answers.values()} == {RedisUnavailable}
        assert took < 1
        await server.start()
        assert await can_use(marks)


async def test_a_password_is_needed_where_there_is_one(tmp_path: Path) -> None:
    options = ValkeyOptions(port=free_port(), password="p@ss/w:rd%")
    async with own_valkey(tmp_path, options) as server:
        async with open_sent_markers(server.uri) as marks:
            assert await can_use(marks)
        for stranger in ("redis://", "redis://:guess@", "redis://ada:guess@"):
            async with open_sent_markers(f"{stranger}127.0.0.1:{server.port}") as marks:
                with pytest.raises(RedisUnavailable):
                    await can_use(marks)


async def test_a_unix_socket_works(tmp_path: Path) -> None:
    options = ValkeyOptions(password="pass word")
    async with run_own(Valkey(tmp_path / "with blank", options)) as server:
        assert server.uri.startswith("unix://:pass%20word@")
        async with open_sent_markers(f"{server.uri}?db=3") as marks:
            assert await can_use(marks)


async def test_tls_is_spoken_and_the_certificate_is_checked(tmp_path: Path, redis_url: str) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    trusted, other = tmp_path / "ca.pem", tmp_path / "other.pem"
    authority.cert_pem.write_to_path(trusted)
    stranger.cert_pem.write_to_path(other)
    server = urlsplit(redis_url)
    assert server.port is not None

    async with a_proxy(server.port, tls=context) as proxy:
        login = f":{server.password}@" if server.password else ""
        url = f"rediss://{login}localhost:{proxy.port}{server.path}"
        async with open_sent_markers(f"{url}?{urlencode({'ssl_ca_certs': trusted})}") as marks:
            assert await can_use(marks)
        for wrong in (f"{url}?{urlencode({'ssl_ca_certs': other})}", url):
            async with open_sent_markers(wrong) as marks:
                with pytest.raises(RedisUnavailable):
                    await can_use(marks)


async def test_the_number_in_the_url_selects_the_database(
    marks: RedisSentMarkerStore, redis_url: str, redis_server: str
) -> None:
    await marks.write(added=[ADA])

    with redis.Redis.from_url(redis_url) as here, redis.Redis.from_url(redis_server) as elsewhere:
        assert here.dbsize() == 1
        assert not elsewhere.exists("gcsched:sent:job-1:claim-1")


async def test_all_sessions_may_use_redis_at_once(redis_url: str) -> None:
    client = Redis(connection_pool=open_pool(redis_url, sessions=40))
    try:
        execute: Callable[..., Awaitable[object]] = client.execute_command
        pops = [execute("BLPOP", f"nothing-{n}", "0.2") for n in range(60)]

        assert await asyncio.gather(*pops) == [None] * 60
    finally:
        await client.aclose(close_connection_pool=True)


def test_a_pool_that_is_too_small_is_made_larger() -> None:
    with capture_logs() as logs:
        small = open_pool("redis://h?max_connections=3", sessions=16)
        unlimited = open_pool("redis://h?max_connections=0")
        chosen = open_pool("redis://h?max_connections=40")
        arq = open_arq("redis://h?max_connections=1")

    assert logs == []  # ARQ's pool is opened for each new worker
    assert arq.connection_pool.max_connections == 32
    assert small.max_connections == 32
    assert unlimited.max_connections > 1_000_000
    assert chosen.max_connections == 40


def test_only_a_max_connections_that_is_too_small_is_warned_of() -> None:
    with capture_logs() as logs:
        for given in ("", "?max_connections=0", "?max_connections=32", "?max_connections=31"):
            warn_of_too_few_connections(f"redis://:S3cr3tPW@h{given}")

    [line] = logs
    assert (line["given"], line["used"]) == (31, 32)
    assert "S3cr3tPW" not in str(line)
