"""HTTP over TLS: probes and metrics, an exchange of the certificate, and callers without TLS."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import trustme
import uvloop
from prometheus_client import CollectorRegistry

from gcsched.process.key_pairs import KeyPair, read_key_pair
from gcsched.web.connection_limiter import ConnectionLimiter
from gcsched.web.readiness import Readiness
from gcsched.web.server import Endpoints, serve_http
from tests.support.certificates import NOW, issue, write_pair
from tests.support.connections import open_streams
from tests.support.wait import until

REQUEST = b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@dataclass
class Listener:
    """A listener whose certificate a test exchanges."""

    folder: Path
    authority: trustme.CA
    pair: KeyPair
    limiter: ConnectionLimiter
    port: int = 0

    @property
    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.authority.cert_pem.bytes().decode())

    def exchange(self) -> None:
        self.pair = read_pair(self.folder, self.authority)

    async def get(self, path: str) -> tuple[int, str]:
        connector = aiohttp.TCPConnector(ssl=self.trusting, force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(f"https://localhost:{self.port}{path}") as answer,
        ):
            return answer.status, await answer.text()


def read_pair(folder: Path, authority: trustme.CA) -> KeyPair:
    files = write_pair(folder, issue(authority, "localhost", "127.0.0.1"))
    return read_key_pair(files.chain, files.key, now=NOW)


@asynccontextmanager
async def serve(folder: Path) -> AsyncIterator[Listener]:
    authority = trustme.CA()
    limiter = ConnectionLimiter(max_connections=20)
    found = Listener(
        folder=folder,
        authority=authority,
        pair=read_pair(folder, authority),
        limiter=limiter,
    )
    pages = Endpoints(registry=CollectorRegistry(), readiness=Readiness())
    serving = serve_http(
        pages, listen="127.0.0.1:0", limiter=limiter, tls=lambda: found.pair.context
    )
    async with serving as found.port:
        yield found
    await until(lambda: not limiter.count)


@pytest.fixture
async def listener(tmp_path: Path) -> AsyncIterator[Listener]:
    async with serve(tmp_path) as found:
        yield found


async def read_certificate(reader_port: int, context: ssl.SSLContext) -> bytes:
    async with open_streams(reader_port, ssl=context, server_hostname="localhost") as (_, writer):
        own: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return own.getpeercert(binary_form=True) or b""


async def test_probes_and_metrics_are_answered(listener: Listener) -> None:
    assert await listener.get("/livez") == (200, "ok\n")
    assert (await listener.get("/metrics"))[0] == 200
    assert (await listener.get("/readyz"))[0] == 503


async def test_a_request_that_comes_with_the_end_of_the_handshake_is_answered(
    listener: Listener,
) -> None:
    """A client of TLS 1.3 may write as soon as it has finished its part."""
    async with open_streams(listener.port, ssl=listener.trusting, server_hostname="localhost") as (
        reader,
        writer,
    ):
        writer.write(REQUEST)
        assert (await reader.read()).endswith(b"\r\n\r\nok\n")


async def test_new_connections_get_the_new_certificate_and_open_ones_stay(
    listener: Listener,
) -> None:
    context = listener.trusting
    async with open_streams(listener.port, ssl=context, server_hostname="localhost") as (
        reader,
        writer,
    ):
        before = ssl.PEM_cert_to_DER_cert(listener.pair.chain.decode().strip())
        listener.exchange()
        after = ssl.PEM_cert_to_DER_cert(listener.pair.chain.decode().strip())
        assert await read_certificate(listener.port, context) == after
        own: ssl.SSLObject = writer.get_extra_info("ssl_object")
        assert own.getpeercert(binary_form=True) == before
        writer.write(REQUEST)
        assert (await reader.read()).endswith(b"ok\n")


async def test_callers_without_tls_get_no_answer_and_no_line_in_the_log(
    listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        async with open_streams(listener.port) as (reader, writer):
            writer.write(REQUEST)
            try:
                came = await asyncio.wait_for(reader.read(), 5)
            except ConnectionResetError:
                came = b""

    assert b"HTTP" not in came
    assert caplog.messages == []
    assert await listener.get("/livez") == (200, "ok\n")


async def test_half_open_handshakes_are_limited_and_keep_no_probe_out(listener: Listener) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(60):
            _, writer = await stack.enter_async_context(open_streams(listener.port))
            writer.write(b"\x16\x03\x01\x02\x00\x01")
        await until(lambda: listener.limiter.count == listener.limiter.max_connections)
        assert await listener.get("/livez") == (200, "ok\n")
        assert listener.limiter.count <= listener.limiter.max_connections


async def test_a_connection_over_tls_without_a_request_is_closed(listener: Listener) -> None:
    listener.limiter.max_idle_seconds = 0.2
    async with open_streams(listener.port, ssl=listener.trusting, server_hostname="localhost") as (
        reader,
        _,
    ):
        async with asyncio.timeout(5):
            assert await reader.read() == b""


async def exercise(folder: Path) -> None:
    async with serve(folder) as listener:
        context = listener.trusting
        for _ in range(30):
            async with open_streams(listener.port, ssl=context, server_hostname="localhost") as (
                reader,
                writer,
            ):
                writer.write(REQUEST)
                assert (await reader.read()).endswith(b"ok\n")
        async with AsyncExitStack() as stack:
            for _ in range(60):
                _, writer = await stack.enter_async_context(open_streams(listener.port))
                writer.write(b"\x16\x03\x01\x02\x00\x01")
            await until(lambda: listener.limiter.count == listener.limiter.max_connections)
            assert await listener.get("/livez") == (200, "ok\n")
        await until(lambda: not listener.limiter.count)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_both_loops_start_tls_on_each_connection_and_forget_none(
    new_loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path
) -> None:
    """uvloop reads before TLS takes over, and returns transports that are closed already."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(exercise(tmp_path))
