"""Which HTTP connections stay open: a limited number, each for a limited time without an answer."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

MAX_IDLE_SECONDS = 20.0
CHECK_EVERY_SECONDS = 1.0


ProtocolFactory = Callable[[], asyncio.Protocol]


@dataclass(kw_only=True, eq=False)
class ConnectionLimiter:
    """Close each connection that got no answer for MAX_SECONDS, whatever it does meanwhile.

    That covers silence, headers and bodies that do not end, and answers that are not read. One
    more than *max_connections* closes the one that got none for the longest time: so a probe gets in, while
    others only hold connections.
    """

    max_connections: int
    max_idle_seconds: float = MAX_IDLE_SECONDS
    # In the order of their last answer, the oldest first.
    _active_at: dict[asyncio.Transport, float] = field(default_factory=dict, init=False)
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)

    @property
    def count(self) -> int:
        """Return how many connections are open."""
        return len(self._active_at)

    def wrap(self, factory: ProtocolFactory) -> ProtocolFactory:
        """Return *factory* with a watch over each of its connections."""
        return lambda: LimitedProtocol(protocol=factory(), limiter=self)

    def add(self, transport: asyncio.Transport) -> None:
        self._active_at[transport] = asyncio.get_running_loop().time()
        while len(self._active_at) > self.max_connections:
            self._abort(next(iter(self._active_at)))
        if self._timer is None:
            self._check_again()

    def mark_answered(self, transport: asyncio.Transport | None) -> None:
        """Note that *transport* had a whole request, and that its answer is on its way."""
        if transport is not None and self._active_at.pop(transport, None) is not None:
            self._active_at[transport] = asyncio.get_running_loop().time()

    def remove(self, transport: asyncio.Transport) -> None:
        self._active_at.pop(transport, None)

    def close_idle(self) -> None:
        """Close what had no answer for too long."""
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
        transport.abort()  # not close(): that waits for what the other side does not read


@dataclass(kw_only=True, eq=False)
class LimitedProtocol(asyncio.Protocol):
    """One connection: pass on to *protocol* what comes, and tell of its beginning and end."""

    protocol: asyncio.Protocol
    limiter: ConnectionLimiter
    _transport: asyncio.Transport | None = field(default=None, init=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.protocol.connection_made(transport)
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are of no such class
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
