"""The octets of one connection to the relay that the tests use."""

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

Told = Callable[["Wire"], None]


class Gone(Exception):
    """The session is over."""


class Wire(asyncio.Protocol):
    """Octets in and out of one connection."""

    def __init__(self, number: int, *, welcome: Told, forget: Told) -> None:
        self.number = number
        self._welcome, self._forget = welcome, forget
        self.buffer = bytearray()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._more = asyncio.Event()
        self._stays = False
        self._unsaid: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        if not self._stays:  # a TLS upgrade may announce itself as a second connection
            self._stays = True
            self._welcome(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self._more.set()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)
        self._forget(self)
        self._more.set()

    def say(self, octets: bytes) -> None:
        """Write *octets*, the answers to one group of commands together: as real relays do."""
        if not self._unsaid:
            asyncio.get_running_loop().call_soon(self.flush)
        self._unsaid.append(octets)

    def flush(self) -> None:
        unsaid, self._unsaid = b"".join(self._unsaid), []
        if unsaid and not self.transport.is_closing():  # uvloop's would raise
            self.transport.write(unsaid)

    def close(self) -> None:
        self.flush()
        self.transport.close()

    async def until(self, mark: bytes) -> bytes:
        """Take everything up to and with *mark*; what came before a hang-up still counts."""
        seen = 0
        while (found := self.buffer.find(mark, seen)) < 0:
            if self.closed.done():
                raise Gone
            seen = max(0, len(self.buffer) - len(mark))
            self._more.clear()
            await self._more.wait()
        taken = bytes(self.buffer[: found + len(mark)])
        del self.buffer[: found + len(mark)]
        return taken

    async def hears(self) -> bool:
        """Wait until anything comes; False: they hung up instead."""
        while not self.buffer and not self.closed.done():
            self._more.clear()
            await self._more.wait()
        return bool(self.buffer)

    async def secure(self, tls: ssl.SSLContext) -> None:
        self.flush()
        self.buffer.clear()
        before, upgraded = self.transport, None
        try:
            upgraded = await asyncio.get_running_loop().start_tls(
                before, self, tls, server_side=True
            )
            self.transport = cast("asyncio.Transport", upgraded)
        finally:
            if upgraded is None:  # asyncio tells nobody then
                before.abort()
                self.connection_lost(None)
