"""A TCP proxy whose connections belong to somebody, so that one process can be cut off alone."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from tests.support.wait import until

CHUNK = 64 * 1024
OWNER = re.compile(rb"chaos-[a-z0-9]+")  # MongoDB's drivers begin by naming their application


@dataclass(kw_only=True, eq=False)
class LinkFault:
    """What befalls the connections of *owner*, or all of them if there is none."""

    owner: str = ""
    delay_seconds: float = 0.0
    refuses: bool = False  # breaks connections; silent otherwise: they stay, nothing passes
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
    """Listens on a port of its own for the server on *to_port*; *owner* is that of all, if said."""

    def __init__(self, to_port: int, *, owner: str = "") -> None:
        self.to_port = to_port
        self.port = 0
        self._owner = owner
        self._faults: list[LinkFault] = []
        self._connections: set[Connection] = set()
        self._clients: set[asyncio.StreamWriter] = set()

    @contextmanager
    def inject(self, trouble: LinkFault) -> Iterator[None]:
        """Let *trouble* befall this link for a block."""
        self._faults.append(trouble)
        if trouble.refuses:
            self.reset(trouble.owner)
        try:
            yield
        finally:
            self._faults.remove(trouble)
            trouble.ended.set()

    def reset(self, owner: str = "") -> None:
        """Break every connection of *owner*, or of all; new ones are welcome."""
        for connection in self._connections:
            if owner in {"", connection.owner}:
                connection.reset()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        with suppress(OSError):
            await self._forward(reader, writer)
        writer.transport.abort()
        self._clients.discard(writer)

    async def end(self) -> None:
        """Break all connections; none is left when this returns."""
        for writer in self._clients:
            writer.transport.abort()
        await until(lambda: not self._clients)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(CHUNK)
        owner = self._owner or owner_in(first)
        if any(each.refuses for each in self._faults_of(owner)):
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.to_port)
        connection = Connection(owner, (writer, there_writer))
        self._connections.add(connection)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, there_writer, owner, first))
                tasks.create_task(self._pump(there_reader, writer, owner))
        finally:
            self._connections.discard(connection)
            connection.reset()

    def _faults_of(self, owner: str) -> list[LinkFault]:
        return [trouble for trouble in self._faults if trouble.applies_to(owner)]

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        owner: str,
        data: bytes = b"",
    ) -> None:
        """Carry octets one way until either side has gone; then end the other way too."""
        with suppress(ConnectionError):
            while data := data or await reader.read(CHUNK):
                if self._faults:
                    await self._apply_faults(owner)
                if writer.is_closing():  # uvloop's would raise
                    break
                writer.write(data)
                await writer.drain()
                data = b""
        writer.transport.abort()

    async def _apply_faults(self, owner: str) -> None:
        for trouble in self._faults_of(owner):
            if trouble.delay_seconds:
                await asyncio.sleep(trouble.delay_seconds)
            elif not trouble.refuses:
                await trouble.ended.wait()


def owner_in(first: bytes) -> str:
    found = OWNER.search(first)
    return found[0].decode() if found else ""


@asynccontextmanager
async def a_link(to_port: int, *, owner: str = "") -> AsyncIterator[Link]:
    link = Link(to_port, owner=owner)
    server = await asyncio.start_server(link.handle, "127.0.0.1", 0)
    link.port = server.sockets[0].getsockname()[1]
    try:
        yield link
    finally:
        server.close()
        await link.end()
