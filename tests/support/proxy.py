"""A TCP proxy before a server: it can add TLS, and cut all connections."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

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
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.to_port)
        pair = {writer, there_writer}
        self._writers |= pair
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(pump(reader, there_writer))
                tasks.create_task(pump(there_reader, writer))
        finally:
            self._writers -= pair
            for each in pair:
                each.transport.abort()


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
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0, ssl=tls)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
        await asyncio.sleep(0)
