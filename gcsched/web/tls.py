"""TLS of HTTP connections, with the certificate of now and within the limits of all connections."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from gcsched.web.connection_limiter import ConnectionLimiter, ProtocolFactory

HANDSHAKE_SECONDS = 5.0
SHUTDOWN_SECONDS = 2.0


@dataclass(kw_only=True, eq=False)
class TlsProtocol(asyncio.Protocol):
    """One connection: makes the handshake with *context*, and passes what follows to *protocol*.

    Not the `ssl` argument of `create_server`: the limiter would not count handshakes that do not
    end, and its context could only be changed in place, where a broken pair would remain.
    """

    protocol: asyncio.Protocol
    context: ssl.SSLContext
    limiter: ConnectionLimiter
    _early: list[bytes] = field(default_factory=list, init=False)
    _is_open: bool = field(default=False, init=False)
    _is_lost: bool = field(default=False, init=False)
    _handshake: asyncio.Task[None] | None = field(default=None, init=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, because uvloop's transports do not inherit from asyncio.Transport.
        plain = cast("asyncio.Transport", transport)
        plain.pause_reading()  # until TLS takes over
        self.limiter.add(plain)
        self._handshake = asyncio.create_task(self._secure(plain), name="TLS handshake")

    async def _secure(self, plain: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        # Scheduled first, it runs after start_tls has set its protocol and before that begins.
        loop.call_soon(self._hand_over, plain)
        try:
            secured = await loop.start_tls(
                plain,
                self,
                self.context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=SHUTDOWN_SECONDS,
            )
        except OSError:  # a caller that speaks no TLS, does not trust us, or is gone
            plain.abort()
        else:
            self._open(secured)
        finally:
            self.limiter.remove(plain)

    def _hand_over(self, plain: asyncio.Transport) -> None:
        """Pass on what was read before TLS took over: uvloop reads although it is to pause."""
        taking_over = plain.get_protocol()
        if taking_over is self:  # the connection is closed
            return
        for data in self._early:
            feed(cast("asyncio.BufferedProtocol", taking_over), data)
        self._early.clear()

    def _open(self, secured: asyncio.Transport | None) -> None:
        # uvloop returns a transport even if the limiter has closed the connection meanwhile.
        if secured is None or secured.is_closing() or self._is_lost:
            return
        self._is_open = True
        self.protocol.connection_made(secured)
        for data in self._early:
            self.protocol.data_received(data)
        self._early.clear()

    def data_received(self, data: bytes) -> None:
        if self._is_open:
            self.protocol.data_received(data)
        else:  # for TLS at first; later a request, which may come with the end of the handshake
            self._early.append(data)

    def eof_received(self) -> bool | None:
        return self.protocol.eof_received() if self._is_open else None

    def pause_writing(self) -> None:
        if self._is_open:
            self.protocol.pause_writing()

    def resume_writing(self) -> None:
        if self._is_open:
            self.protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        if self._is_open:
            self.protocol.connection_lost(exc)


def feed(protocol: asyncio.BufferedProtocol, data: bytes) -> None:
    """Write *data* into *protocol*, as its transport does."""
    rest = memoryview(data)
    while rest:
        buffer = memoryview(protocol.get_buffer(len(rest)))
        count = min(len(buffer), len(rest))
        buffer[:count] = rest[:count]
        protocol.buffer_updated(count)
        rest = rest[count:]


def secure(
    factory: ProtocolFactory,
    limiter: ConnectionLimiter,
    context: Callable[[], ssl.SSLContext | None],
) -> ProtocolFactory:
    """Return *factory* with TLS for each connection, unless *context* returns None."""

    def make() -> asyncio.Protocol:
        current = context()
        protocol = factory()
        if current is None:
            return protocol
        return TlsProtocol(protocol=protocol, context=current, limiter=limiter)

    return make
