"""Limits HTTP connections: their number, and how long each may go without a response."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

MAX_IDLE_SECONDS = 20.0
CHECK_EVERY_SECONDS = 1.0


ProtocolFactory = Callable[[], asyncio.Protocol]


@dataclass(kw_only=True, eq=False)
class ConnectionLimiter:
    """Closes each connection that got no response for *max_idle_seconds*, whatever it sends.

    That covers silence, headers and bodies that do not end, and responses that are not read. A
    connection above *max_connections* closes the one that got no response for the longest time: so
    probes are answered while other clients only hold connections.
    """

    max_connections: int
    max_idle_seconds: float = MAX_IDLE_SECONDS
    # In the order of their last response, the oldest first.
    _active_at: dict[asyncio.Transport, float] = field(default_factory=dict, init=False)
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)

    @property
    def count(self) -> int:
        """The number of open connections."""
        return len(self._active_at)

    def wrap(self, factory: ProtocolFactory) -> ProtocolFactory:
        """Return *factory* with the limits applied to each of its connections."""
        return lambda: LimitedProtocol(protocol=factory(), limiter=self)

    def add(self, transport: asyncio.Transport) -> None:
        self._active_at[transport] = asyncio.get_running_loop().time()
        # Closed after the new one was added: it is the most recent, so it is never closed itself.
        while len(self._active_at) > self.max_connections:
            self._abort(next(iter(self._active_at)))
        if self._timer is None:
            self._check_again()

    def mark_answered(self, transport: asyncio.Transport | None) -> None:
        """Record that *transport* sent a whole request whose response is on its way."""
        if transport is not None and self._active_at.pop(transport, None) is not None:
            # Removed and added again: the dictionary stays in the order of the last response.
            self._active_at[transport] = asyncio.get_running_loop().time()

    def remove(self, transport: asyncio.Transport) -> None:
        self._active_at.pop(transport, None)

    def close_idle(self) -> None:
        """Close the connections that got no response for too long."""
        too_old = asyncio.get_running_loop().time() - self.max_idle_seconds
        for transport in [each for each, since in self._active_at.items() if since <= too_old]:
            self._abort(transport)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _check_again(self) -> None:
        self.close_idle()
        loop = asyncio.get_running_loop()
        self._timer = (
            loop.call_later(CHECK_EVERY_SECONDS, self._check_again) if self._active_at else None
        )

    def _abort(self, transport: asyncio.Transport) -> None:
        del self._active_at[transport]
        transport.abort()  # not close(), which waits until the peer has read everything


@dataclass(kw_only=True, eq=False)
class LimitedProtocol(asyncio.Protocol):
    """One connection: passes all events to *protocol*, and its start and end to *limiter*."""

    protocol: asyncio.Protocol
    limiter: ConnectionLimiter
    _transport: asyncio.Transport | None = field(default=None, init=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.protocol.connection_made(transport)
        # A cast, because uvloop's transports do not inherit from asyncio.Transport.
        self._transport = cast("asyncio.Transport", transport)
        self.limiter.add(self._transport)

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
            self.limiter.remove(self._transport)
        self.protocol.connection_lost(exc)
