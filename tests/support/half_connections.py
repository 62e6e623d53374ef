"""Connections that start an exchange and never complete it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from tests.support.connections import open_streams

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
HALF_HTTP: Mapping[str, bytes] = {
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
HALF_GRPC: Mapping[str, bytes] = {
    "silent": b"",
    "half a preface": PREFACE[:10],
    "no settings": PREFACE,
    "idle": PREFACE + SETTINGS,
}
DRIP_SECONDS = 1.0


@dataclass(kw_only=True, eq=False)
class HeldConnections:
    """Connections to *port* that sent their data and wait; `open` counts those not closed yet.

    `is_settled` is true once each of them was accepted or refused.
    """

    port: int
    open: int = 0
    _settled_count: int = 0
    drip: bytes = b""
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self, data: bytes, count: int) -> None:
        for _ in range(count):
            self._tasks.append(asyncio.create_task(self._hold(data)))

    @property
    def is_settled(self) -> bool:
        return self._settled_count == len(self._tasks)

    async def _hold(self, data: bytes) -> None:
        async with AsyncExitStack() as stack:
            try:
                streams = await stack.enter_async_context(open_streams(self.port))
            except OSError:
                return
            finally:
                self._settled_count += 1
            self.open += 1
            try:
                await self._read_until_closed(data, *streams)
            except OSError:
                pass
            finally:
                self.open -= 1

    async def _read_until_closed(
        self, data: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(data)
        while self.drip:
            writer.write(self.drip)
            try:
                async with asyncio.timeout(DRIP_SECONDS):
                    if not await reader.read(65536):
                        return
            except TimeoutError:
                continue
        while await reader.read(65536):
            pass

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)


@asynccontextmanager
async def hold_connections(
    port: int, kinds: Mapping[str, bytes], *, each: int
) -> AsyncIterator[HeldConnections]:
    """Hold *each* connections of each of *kinds* open during the block."""
    held = HeldConnections(port=port)
    for data in kinds.values():
        held.start(data, each)
    try:
        yield held
    finally:
        await held.close()
