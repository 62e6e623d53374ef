"""No connection is left when a block ends; oracle: the client's side, and the garbage collector."""

import asyncio
import gc
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import cast

import pytest
import trustme

from tests.support.connections import serve_streams
from tests.support.fake_redis import a_fake_redis
from tests.support.proxy import a_proxy
from tests.support.relay.server import Relay


async def wait_forever(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def write_forever(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(bytes(65536))
        await writer.drain()


async def read_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    cast("asyncio.Transport", writer.transport).pause_reading()
    await asyncio.Event().wait()


async def read_all(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


def make_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


@asynccontextmanager
async def a_relay(security: str) -> AsyncIterator[int]:
    async with Relay(security=security) as relay:
        yield relay.port


@asynccontextmanager
async def a_redis() -> AsyncIterator[int]:
    async with a_fake_redis() as fake:
        yield fake.port


@asynccontextmanager
async def a_proxy_of_a_relay() -> AsyncIterator[int]:
    async with Relay() as relay, a_proxy(relay.port) as proxy:
        yield proxy.port


SERVERS: Mapping[str, Callable[[], AbstractAsyncContextManager[int]]] = {
    "waits": lambda: serve_streams(wait_forever),
    "writes": lambda: serve_streams(write_forever),
    "pauses": lambda: serve_streams(read_nothing),
    "reads": lambda: serve_streams(read_all),
    "TLS": lambda: serve_streams(read_all, tls=make_context()),
    "relay": lambda: a_relay("none"),
    "relay with TLS": lambda: a_relay("tls"),
    "Redis": a_redis,
    "proxy": a_proxy_of_a_relay,
}


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def is_closed(client: socket.socket) -> bool:
    try:
        while client.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("kind", SERVERS)
async def test_a_connection_that_arrives_last_is_closed(kind: str, turns: int) -> None:
    """*turns* of the loop later a connection is accepted, has a transport, then a handler."""
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(SERVERS[kind]())
        client = connect(port)
        for _ in range(turns):
            await asyncio.sleep(0)
    gc.collect()

    with client:
        assert is_closed(client)
    assert asyncio.all_tasks() == {asyncio.current_task()}
