"""The octets of one connection to the tests' relay."""

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

WireCallback = Callable[["Wire"], None]


class Disconnected(Exception):
    """The session is over."""


class Wire(asyncio.Protocol):
    """Octets in and out of one connection."""

    def __init__(self, number: int, *, on_open: WireCallback, on_close: WireCallback) -> None:
        self.number = number
        self._on_open, self._on_close = on_open, on_close
        self.buffer = bytearray()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._more = asyncio.Event()
        self._is_open = False
        self._unsent: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is not a subclass
        if not self._is_open:  # a TLS upgrade may announce itself as a second connection
            self._is_open = True
            self._on_open(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self._more.set()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)
        self._on_close(self)
        self._more.set()

    def write(self, octets: bytes) -> None:
        """Write *octets*; replies to one group of commands leave together, as from real relays."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self.flush)
        self._unsent.append(octets)

    def flush(self) -> None:
        unsent, self._unsent = b"".join(self._unsent), []
        if unsent and not self.transport.is_closing():  # uvloop's would raise
            self.transport.write(unsent)

    def close(self) -> None:
        self.flush()
        self.transport.close()

    async def read_until(self, mark: bytes) -> bytes:
        """Take all octets up to and including *mark*; those from before a hang-up still count."""
        seen = 0
        while (found := self.buffer.find(mark, seen)) < 0:
            if self.closed.done():
                raise Disconnected
            seen = max(0, len(self.buffer) - len(mark))
            self._more.clear()
            await self._more.wait()
        taken = bytes(self.buffer[: found + len(mark)])
        del self.buffer[: found + len(mark)]
        return taken

    async def wait_for_data(self) -> bool:
        """Wait until data arrives; return False if the client hung up instead."""
        while not self.buffer and not self.closed.done():
            self._more.clear()
            await self._more.wait()
        return bool(self.buffer)

    async def start_tls(self, tls: ssl.SSLContext) -> None:
        self.flush()
        self.buffer.clear()
        before, upgraded = self.transport, None
        try:
            upgraded = await asyncio.get_running_loop().start_tls(
                before, self, tls, server_side=True
            )
            self.transport = cast("asyncio.Transport", upgraded)
        finally:
            if upgraded is None:  # asyncio then does not call connection_lost
                before.abort()
                self.connection_lost(None)
