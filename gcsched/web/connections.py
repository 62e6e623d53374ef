"""Which HTTP connections stay open: a limited number, each for a limited time without an answer."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

LONGEST_SECONDS = 20.0
LOOK_EVERY_SECONDS = 1.0


Factory = Callable[[], asyncio.Protocol]


@dataclass(kw_only=True, eq=False)
class Connections:
    """Close each connection that got no answer for LONGEST_SECONDS, whatever it does meanwhile.

    That covers silence, headers and bodies that do not end, and answers that are not read. One
    more than *most* closes the one that got none for the longest time: so a probe gets in, while
    others only hold connections.
    """

    most: int
    longest_seconds: float = LONGEST_SECONDS
    # In the order of their last answer, the oldest first.
    _since: dict[asyncio.Transport, float] = field(default_factory=dict, init=False)
    _look: asyncio.TimerHandle | None = field(default=None, init=False)

    @property
    def count(self) -> int:
        """Return how many connections are open."""
        return len(self._since)

    def limited(self, factory: Factory) -> Factory:
        """Return *factory* with a watch over each of its connections."""
        return lambda: Limited(protocol=factory(), connections=self)

    def opened(self, transport: asyncio.Transport) -> None:
        self._since[transport] = asyncio.get_running_loop().time()
        while len(self._since) > self.most:
            self._abort(next(iter(self._since)))
        if self._look is None:
            self._look_again()

    def answered(self, transport: asyncio.Transport | None) -> None:
        """Note that *transport* had a whole request, and that its answer is on its way."""
        if transport is not None and self._since.pop(transport, None) is not None:
            self._since[transport] = asyncio.get_running_loop().time()

    def closed(self, transport: asyncio.Transport) -> None:
        self._since.pop(transport, None)

    def close_forgotten(self) -> None:
        """Close what had no answer for too long."""
        too_old = asyncio.get_running_loop().time() - self.longest_seconds
        for transport in [each for each, since in self._since.items() if since <= too_old]:
            self._abort(transport)

    def stop(self) -> None:
        if self._look is not None:
            self._look.cancel()

    def _look_again(self) -> None:
        self.close_forgotten()
        loop = asyncio.get_running_loop()
        self._look = loop.call_later(LOOK_EVERY_SECONDS, self._look_again) if self._since else None

    def _abort(self, transport: asyncio.Transport) -> None:
        del self._since[transport]
        transport.abort()  # not close(): that waits for what the other side does not read


@dataclass(kw_only=True, eq=False)
class Limited(asyncio.Protocol):
    """One connection: pass on to *protocol* what comes, and tell of its beginning and end."""

    protocol: asyncio.Protocol
    connections: Connections
    _transport: asyncio.Transport | None = field(default=None, init=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.protocol.connection_made(transport)
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are of no such class
        self.connections.opened(self._transport)

    def data_received(self, data: bytes) -> None:
        self.protocol.data_received(data)

    def eof_received(self) -> bool | None:
        return self.protocol.eof_received()

    def pause_writing(self) -> None:
        self.protocol.pause_writing()

    def resume_writing(self) -> None:
        self.protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self.connections.closed(self._transport)
        self.protocol.connection_lost(exc)
