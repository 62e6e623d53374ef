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
class Trouble:
    """What befalls the connections of *owner*, or all of them if there is none."""

    owner: str = ""
    delay_seconds: float = 0.0
    refuses: bool = False  # breaks connections; silent otherwise: they stay, nothing passes
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def meets(self, owner: str) -> bool:
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
        self._troubles: list[Trouble] = []
        self._connections: set[Connection] = set()
        self._guests: set[asyncio.StreamWriter] = set()

    @contextmanager
    def troubled(self, trouble: Trouble) -> Iterator[None]:
        """Let *trouble* befall this link for a block."""
        self._troubles.append(trouble)
        if trouble.refuses:
            self.reset(trouble.owner)
        try:
            yield
        finally:
            self._troubles.remove(trouble)
            trouble.over.set()

    def reset(self, owner: str = "") -> None:
        """Break every connection of *owner*, or of all; new ones are welcome."""
        for connection in self._connections:
            if owner in {"", connection.owner}:
                connection.reset()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._guests.add(writer)
        with suppress(OSError):
            await self._carry(reader, writer)
        writer.transport.abort()
        self._guests.discard(writer)

    async def end(self) -> None:
        """Break all connections; none is left when this returns."""
        for writer in self._guests:
            writer.transport.abort()
        await until(lambda: not self._guests)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(CHUNK)
        owner = self._owner or owner_in(first)
        if any(each.refuses for each in self._met(owner)):
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

    def _met(self, owner: str) -> list[Trouble]:
        return [trouble for trouble in self._troubles if trouble.meets(owner)]

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
                if self._troubles:
                    await self._suffer(owner)
                if writer.is_closing():  # uvloop's would raise
                    break
                writer.write(data)
                await writer.drain()
                data = b""
        writer.transport.abort()

    async def _suffer(self, owner: str) -> None:
        for trouble in self._met(owner):
            if trouble.delay_seconds:
                await asyncio.sleep(trouble.delay_seconds)
            elif not trouble.refuses:
                await trouble.over.wait()


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
