"""Connections without a whole request are closed in time, and cannot keep probes out."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NoReturn

import pytest
from prometheus_client import CollectorRegistry, Gauge

from gcsched.web.connection_limiter import ConnectionLimiter
from gcsched.web.readiness import Readiness
from gcsched.web.server import Endpoints, serve_http
from tests.support.connections import open_streams
from tests.support.probes import probe_http
from tests.support.wait import until

LONGEST = 0.3
UNFINISHED = {
    "silent": b"",
    "half a line": b"GET /liv",
    "half headers": b"GET /livez HTTP/1.1\r\nHost: a\r\nX-Half: ",
    "unfinished body": b"POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc",
    "unfinished chunk": (
        b"POST /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc"
    ),
    "expecting": (
        b"POST /livez HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"
    ),
    "idle after an answer": b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n",
}


NOT_HTTP = {
    "gRPC": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 500,
    "TLS after a request": b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n\x16\x03\x01\r\n\r\n",
    "Redis": b"*1\r\n$4\r\nPING\r\n",
    "octets": b"\x00\x01\x02\r\n\r\n",
    "another version": b"GET /livez HTTP/9.9\r\n\r\n",
    "no host": b"GET /livez HTTP/1.1\r\n\r\n",
    "half a header": b"GET /livez HTTP/1.1\r\nBad Header\r\n\r\n",
    "a long line": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
    "a long header": b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    "half an address": b"GET http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a negative length": b"POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
    "a chunk of no size": (
        b"POST /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"
    ),
    "a body that is not gzip": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nabcde"
    ),
}


@asynccontextmanager
async def run_server(
    connections: ConnectionLimiter, registry: CollectorRegistry
) -> AsyncIterator[int]:
    pages = Endpoints(registry=registry, readiness=Readiness())
    async with serve_http(pages, listen="127.0.0.1:0", limiter=connections) as port:
        yield port


async def read_until_closed(reader: asyncio.StreamReader) -> bytes:
    """Return all that came until the connection was closed."""
    came = b""
    async with asyncio.timeout(10):
        try:
            while part := await reader.read(65536):
                came += part
        except ConnectionResetError:
            pass
    return came


@pytest.mark.parametrize("kind", UNFINISHED)
async def test_a_connection_without_a_response_is_closed(kind: str) -> None:
    connections = ConnectionLimiter(max_connections=10, max_idle_seconds=LONGEST)
    async with (
        run_server(connections, CollectorRegistry()) as port,
        open_streams(port) as (reader, writer),
    ):
        writer.write(UNFINISHED[kind])

        await read_until_closed(reader)


@pytest.mark.parametrize("kind", NOT_HTTP)
async def test_a_request_that_is_not_http_is_answered_and_not_logged(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    connections = ConnectionLimiter(max_connections=10, max_idle_seconds=60)
    async with run_server(connections, CollectorRegistry()) as port:
        async with open_streams(port) as (reader, writer), asyncio.timeout(10):
            writer.write(NOT_HTTP[kind])
            answer = await reader.readline()
        await until(lambda: connections.count == 0)

    assert answer.startswith(b"HTTP/1.")
    assert [each for each in caplog.records if each.levelno >= logging.INFO] == []


async def test_an_error_of_the_server_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(CollectorRegistry):
        def collect(self) -> NoReturn:
            raise RuntimeError("a defect")

    connections = ConnectionLimiter(max_connections=10, max_idle_seconds=60)
    async with (
        run_server(connections, Broken()) as port,
        probe_http(f"http://127.0.0.1:{port}") as probe,
    ):
        status, _ = await probe.request("/metrics")

    [line] = [each for each in caplog.records if each.name == "aiohttp.server"]
    assert (status, line.levelname) == (500, "ERROR")
    assert "a defect" in str(line.exc_info)


async def test_slow_headers_do_not_prolong_the_limit() -> None:
    connections = ConnectionLimiter(max_connections=10, max_idle_seconds=LONGEST)
    async with (
        run_server(connections, CollectorRegistry()) as port,
        open_streams(port) as (reader, writer),
    ):

        async def drip() -> None:
            while not writer.is_closing():
                writer.write(b"X-Drop: drop\r\n")
                await asyncio.sleep(LONGEST / 10)

        writer.write(b"GET /livez HTTP/1.1\r\n")
        dripping = asyncio.create_task(drip())
        await read_until_closed(reader)
        dripping.cancel()


async def test_a_response_that_is_not_read_is_given_up() -> None:
    registry = CollectorRegistry()
    large = Gauge("large", "Large.", ["label"], registry=registry)
    for number in range(2000):
        large.labels("x" * 1000 + str(number)).set(number)
    connections = ConnectionLimiter(max_connections=10, max_idle_seconds=LONGEST)
    async with (
        run_server(connections, registry) as port,
        open_streams(port, limit=1) as (reader, writer),
    ):
        for _ in range(20):
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")

        await until(lambda: connections.count == 1)
        await until(lambda: connections.count == 0)
        came = await read_until_closed(reader)

    assert len(came) < 20 * 2_000_000


async def test_probes_get_in_while_others_only_hold_connections() -> None:
    connections = ConnectionLimiter(max_connections=10, max_idle_seconds=60)
    async with (
        run_server(connections, CollectorRegistry()) as port,
        AsyncExitStack() as stack,
    ):
        held = [await stack.enter_async_context(open_streams(port)) for _ in range(30)]

        async with probe_http(f"http://127.0.0.1:{port}") as probe:
            answers = [await probe.request("/livez") for _ in range(5)]

        for reader, _ in held[:20]:
            await read_until_closed(reader)

    assert answers == [(200, "ok\n")] * 5


async def test_a_client_with_repeated_requests_keeps_the_connection() -> None:
    connections = ConnectionLimiter(max_connections=10, max_idle_seconds=LONGEST)
    ask = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
    async with (
        run_server(connections, CollectorRegistry()) as port,
        open_streams(port) as (reader, writer),
    ):
        clock = asyncio.get_running_loop().time
        end = clock() + 5 * LONGEST
        while clock() < end:
            writer.write(ask)
            assert (await reader.readuntil(b"ok\n")).startswith(b"HTTP/1.1 200")
