"""Connections that tests accept and open, each closed before the loop of its test.

A connection may arrive while the last lines of a test run. One that is left open fails a later
test: whichever runs when the garbage is collected.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any
from weakref import WeakSet

from tests.support.wait import until

LOOPBACK = "127.0.0.1"
MAX_CLOSING_SECONDS = 10.0

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class ListeningSocket(socket.socket):
    """A socket on 127.0.0.1:*port* that knows the connections that it accepted.

    Protocols learn of theirs later: once the loop runs again, or after a handshake. uvloop accepts
    by itself; under it, none is known here.
    """

    def __init__(self, port: int = 0) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_STREAM)
        self._accepted: WeakSet[socket.socket] = WeakSet()
        self._is_ending = False
        try:
            self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.bind((LOOPBACK, port))
        except OSError:
            self.close()
            raise

    @property
    def port(self) -> int:
        return int(self.getsockname()[1])

    @property
    def open_connections(self) -> list[socket.socket]:
        return [each for each in self._accepted if each.fileno() >= 0]

    def accept(self) -> tuple[socket.socket, Any]:
        if self._is_ending:
            raise BlockingIOError
        connection, address = super().accept()
        self._accepted.add(connection)
        return connection, address

    async def stop(self, server: asyncio.Server) -> None:
        """Close *server*, which listens here, once each accepted connection has a transport.

        A closed server gives no transport to a connection, and then nothing closes it.
        """
        self._is_ending = True
        await asyncio.sleep(0)
        server.close()

    async def end_connections(self) -> None:
        """End all connections, and wait until their transports have closed them.

        The transports must not have paused reading: abort such ones before.
        """
        for each in self.open_connections:
            with suppress(OSError):  # the client has gone
                each.shutdown(socket.SHUT_RDWR)
        await until(lambda: not self.open_connections, within=MAX_CLOSING_SECONDS, every=0)


class _StreamServer:
    """Runs a task with *handle* for each connection."""

    def __init__(self, handle: Handler) -> None:
        self._handle = handle
        self._writers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._is_ending = False

    def on_connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_ending:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._writers[task] = writer
        task.add_done_callback(self._writers.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._handle(reader, writer)
        finally:
            writer.close()

    async def end(self) -> None:
        self._is_ending = True
        for task, writer in self._writers.items():
            task.cancel()
            writer.transport.abort()
        await wait_for_tasks(self._writers)


@asynccontextmanager
async def serve_streams(
    handle: Handler, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Call *handle* with each connection to a free port, and yield the port.

    A connection is closed when *handle* returns, and all are at the end.
    """
    streams, listening = _StreamServer(handle), ListeningSocket()
    port = listening.port
    server = await asyncio.start_server(streams.on_connect, sock=listening, ssl=tls)
    try:
        yield port
    finally:
        await listening.stop(server)
        await streams.end()
        await listening.end_connections()


@asynccontextmanager
async def open_streams(
    port: int, *, host: str = LOOPBACK, **options: Any
) -> AsyncIterator[Streams]:
    """Connect to *port*, and close the connection at the end without waiting for the other side."""
    reader, writer = await asyncio.open_connection(host, port, **options)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(OSError):  # how it ended is the test's affair
            await asyncio.wait_for(writer.wait_closed(), MAX_CLOSING_SECONDS)


async def wait_for_tasks(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Wait until *tasks*, which may be none, have ended in whatever way."""
    if waiting := [*tasks]:
        _, still_running = await asyncio.wait(waiting, timeout=MAX_CLOSING_SECONDS)
        assert not still_running
