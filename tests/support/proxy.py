"""A TCP proxy before a server: it can add TLS, and cut all connections."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.support.connections import open_streams, serve_streams

CHUNK = 64 * 1024


@dataclass(kw_only=True, eq=False)
class Proxy:
    """Listens on 127.0.0.1:*port* for the server on *to_port*."""

    to_port: int
    tls: ssl.SSLContext | None = None
    port: int = field(default=0, init=False)
    is_cut: bool = field(default=False, init=False)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set, init=False)

    def cut(self) -> None:
        """Break every connection and refuse new ones until `heal`."""
        self.is_cut = True
        for writer in self._writers:
            writer.transport.abort()

    def heal(self) -> None:
        self.is_cut = False

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            writer.transport.abort()
            return
        async with open_streams(self.to_port) as (there_reader, there_writer):
            pair = {writer, there_writer}
            self._writers |= pair
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(pump(reader, there_writer))
                    tasks.create_task(pump(there_reader, writer))
            finally:
                self._writers -= pair
                writer.transport.abort()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy octets one way until either side has gone; then end the other way too."""
    with suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


@asynccontextmanager
async def a_proxy(to_port: int, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    proxy = Proxy(to_port=to_port, tls=tls)
    async with serve_streams(proxy.handle, tls=tls) as proxy.port:
        yield proxy
