"""gRPC calls as raw HTTP/2 frames: what no client library would send."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.support.connections import open_streams

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
INITIAL_WINDOW, DEFAULT_WINDOW = 4, 65_535
NO_HEADER_TABLE = struct.pack(">HI", 1, 0)  # so that response headers are not compressed
NO_WINDOW = struct.pack(">HI", INITIAL_WINDOW, 0)
CANCEL = struct.pack(">I", 8)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def encode_header(name: bytes, value: bytes) -> bytes:
    """Return one header field that is neither indexed nor Huffman-coded (RFC 7541, 6.2.2)."""
    return b"\0" + encode_hpack_integer(len(name)) + name + encode_hpack_integer(len(value)) + value


def encode_hpack_integer(number: int) -> bytes:
    """Return *number* as an HPACK integer with a prefix of seven bits (RFC 7541, 5.1)."""
    if number < 127:
        return bytes([number])
    octets, rest = bytearray([127]), number - 127
    while rest >= 128:
        octets.append(rest % 128 + 128)
        rest //= 128
    return bytes([*octets, rest])


def headers(method: str, *more: tuple[bytes, bytes]) -> bytes:
    path = method if method.startswith("/") else f"/scheduler.Scheduler/{method}"
    fields = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.encode()),
        (b":authority", b"localhost"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        *more,
    ]
    return b"".join(encode_header(*each) for each in fields)


def frame_message(octets: bytes, *, declared_size: int | None = None) -> bytes:
    """Return *octets* with the prefix of a gRPC message, whose length may be wrong."""
    return struct.pack(">BI", 0, len(octets) if declared_size is None else declared_size) + octets


@dataclass(kw_only=True, eq=False)
class RawConnection:
    """One HTTP/2 connection; responses are kept as octets by stream."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    answers: dict[int, bytes] = field(default_factory=dict)
    ended_streams: set[int] = field(default_factory=set)
    windows: dict[int, int] = field(default_factory=lambda: {0: DEFAULT_WINDOW})
    initial_window: int = DEFAULT_WINDOW
    is_closed: bool = False
    answers_pings: bool = True
    ping_count: int = 0
    pong_count: int = 0
    goaway: int | None = None
    _next_stream: int = 1

    def start_call(self, method: str, *more: tuple[bytes, bytes], end: bool = False) -> int:
        """Write the headers of a call; return its stream id."""
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        self.windows[stream] = self.initial_window
        flags = END_HEADERS | (END_STREAM if end else 0)
        self.writer.write(frame(HEADERS, flags, stream, headers(method, *more)))
        return stream

    def send(self, stream: int, octets: bytes, *, end: bool = True) -> None:
        self.writer.write(frame(DATA, END_STREAM if end else 0, stream, octets))

    def fill_window(self, stream: int) -> None:
        """Send zeros of a message that never ends, as many as the server accepts."""
        while (room := min(self.windows[stream], self.windows[0], 16_384)) > 0:
            self.send(stream, bytes(room), end=False)
            self.windows[stream] -= room
            self.windows[0] -= room

    def reset(self, stream: int) -> None:
        self.writer.write(frame(RST_STREAM, 0, stream, CANCEL))

    async def read(self) -> None:
        """Store what arrives and answer settings and pings, until the connection ends."""
        try:
            while True:
                head = await self.reader.readexactly(9)
                size, kind, flags = int.from_bytes(head[:3]), head[3], head[4]
                self._handle_frame(kind, flags, int.from_bytes(head[5:]), await self._payload(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.is_closed = True

    async def _payload(self, size: int) -> bytes:
        return await self.reader.readexactly(size)

    def _handle_frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == SETTINGS and not flags & ACK:
            self._handle_settings(payload)
        if kind == WINDOW_UPDATE:
            self.windows[stream] = self.windows.get(stream, 0) + int.from_bytes(payload)
        elif kind == SETTINGS and not flags & ACK:
            self.writer.write(frame(SETTINGS, ACK, 0))
        elif kind == PING:
            self._handle_ping(payload, is_answer=bool(flags & ACK))
        elif kind == GOAWAY:
            self.goaway = int.from_bytes(payload[4:8])
        elif stream:
            self.answers[stream] = self.answers.get(stream, b"") + payload
            if kind == RST_STREAM or (kind in {DATA, HEADERS} and flags & END_STREAM):
                self.ended_streams.add(stream)

    def _handle_ping(self, payload: bytes, *, is_answer: bool) -> None:
        self.pong_count += is_answer
        self.ping_count += not is_answer
        if self.answers_pings and not is_answer:
            self.writer.write(frame(PING, ACK, 0, payload))

    def _handle_settings(self, payload: bytes) -> None:
        for at in range(0, len(payload), 6):
            name, value = struct.unpack(">HI", payload[at : at + 6])
            if name == INITIAL_WINDOW:
                for stream in self.windows.keys() - {0}:
                    self.windows[stream] += value - self.initial_window
                self.initial_window = value


@asynccontextmanager
async def raw_connection(target: str, *, settings: bytes = b"") -> AsyncIterator[RawConnection]:
    """Open a connection to *target* and read from it during the block."""
    host, _, port = target.rpartition(":")
    async with open_streams(int(port), host=host) as (reader, writer):
        writer.write(PREFACE + frame(SETTINGS, 0, 0, NO_HEADER_TABLE + settings))
        connection = RawConnection(reader=reader, writer=writer)
        reading = asyncio.create_task(connection.read(), name="raw connection")
        try:
            yield connection
        finally:
            reading.cancel()
            await asyncio.wait([reading])
