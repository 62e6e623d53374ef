"""A TCP proxy whose connections have an owner, so that one process can be cut off alone."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from tests.support.connections import open_streams, serve_streams

CHUNK = 64 * 1024
OWNER = re.compile(rb"chaos-[a-z0-9]+")  # MongoDB drivers send the name of their application first


@dataclass(kw_only=True, eq=False)
class LinkFault:
    """A fault of the connections of *owner*, or of all connections if it is empty."""

    owner: str = ""
    delay_seconds: float = 0.0
    refuses: bool = False  # closes connections; otherwise they stay open and pass nothing
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def applies_to(self, owner: str) -> bool:
        return self.owner in {"", owner}


@dataclass(eq=False)
class Connection:
    owner: str
    writers: tuple[asyncio.StreamWriter, asyncio.StreamWriter]

    def reset(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


class Link:
    """Listens on its own port for the server on *to_port*; *owner*, if set, owns them all."""

    def __init__(self, to_port: int, *, owner: str = "") -> None:
        self.to_port = to_port
        self.port = 0
        self._owner = owner
        self._faults: list[LinkFault] = []
        self._connections: set[Connection] = set()

    @contextmanager
    def inject(self, fault: LinkFault) -> Iterator[None]:
        """Inject *fault* into this link until the block ends."""
        self._faults.append(fault)
        if fault.refuses:
            self.reset(fault.owner)
        try:
            yield
        finally:
            self._faults.remove(fault)
            fault.ended.set()

    def reset(self, owner: str = "") -> None:
        """Close every connection of *owner*, or all; new ones are accepted."""
        for connection in self._connections:
            if owner in {"", connection.owner}:
                connection.reset()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await self._forward(reader, writer)
        writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(CHUNK)
        owner = self._owner or owner_in(first)
        if any(each.refuses for each in self._faults_of(owner)):
            return
        async with open_streams(self.to_port) as (server_reader, server_writer):
            connection = Connection(owner, (writer, server_writer))
            self._connections.add(connection)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._pump(reader, server_writer, owner, first))
                    tasks.create_task(self._pump(server_reader, writer, owner))
            finally:
                self._connections.discard(connection)
                connection.reset()

    def _faults_of(self, owner: str) -> list[LinkFault]:
        return [fault for fault in self._faults if fault.applies_to(owner)]

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        owner: str,
        data: bytes = b"",
    ) -> None:
        """Copy bytes one way until either side has gone; then close the other direction too."""
        with suppress(ConnectionError):
            while data := data or await reader.read(CHUNK):
                if self._faults:
                    await self._apply_faults(owner)
                if writer.is_closing():  # a write would raise with uvloop
                    break
                writer.write(data)
                await writer.drain()
                data = b""
        writer.transport.abort()

    async def _apply_faults(self, owner: str) -> None:
        for fault in self._faults_of(owner):
            if fault.delay_seconds:
                await asyncio.sleep(fault.delay_seconds)
            elif not fault.refuses:
                await fault.ended.wait()


def owner_in(first: bytes) -> str:
    found = OWNER.search(first)
    return found[0].decode() if found else ""


@asynccontextmanager
async def a_link(to_port: int, *, owner: str = "") -> AsyncIterator[Link]:
    link = Link(to_port, owner=owner)
    async with serve_streams(link.handle) as link.port:
        yield link
