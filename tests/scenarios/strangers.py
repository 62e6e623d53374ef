"""What strangers send to a service that knows its callers, from a process of its own.

    python -m tests.scenarios.strangers KIND HOST:PORT CA_FILE --seconds 10 [--per-second 1000]

Writes a line of JSON with what was sent and how the streams ended.
"""

import argparse
import asyncio
import json
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from tests.support.raw_calls import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    NO_HEADER_TABLE,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    frame_message,
    headers,
)
from tests.support.relay.script import repeatable
from tests.support.service_process import a_meet

CHANCE = repeatable("strangers")
CONNECTIONS = 20
MAX_OPEN_STREAMS = 200  # of each connection: as many as the service allows
TICK_SECONDS = 0.02
CLIENT_HELLO_START = bytes.fromhex("16030102000100")  # the record says 512 octets, and few follow
WINDOW = frame(WINDOW_UPDATE, 0, 0, (2**30).to_bytes(4))
Fields = tuple[tuple[bytes, bytes], ...]
MakeCall = Callable[[], tuple[str, Fields, bytes]]
"""Returns the method, more header fields, and the octets of the message."""


@dataclass(kw_only=True, eq=False)
class Connection:
    """An HTTP/2 connection that writes calls and only counts how they end."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    started: int = 0
    ended: int = 0
    is_closed: bool = False
    open_streams: set[int] = field(default_factory=set)
    _next_stream: int = 1

    def call(self, method: str, fields: Fields, message: bytes) -> None:
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        self.started += 1
        self.open_streams.add(stream)
        self.writer.write(
            frame(HEADERS, END_HEADERS, stream, headers(method, *fields))
            + frame(DATA, END_STREAM, stream, message)
        )

    async def read(self) -> None:
        try:
            while True:
                head = await self.reader.readexactly(9)
                payload = await self.reader.readexactly(int.from_bytes(head[:3]))
                self._handle_frame(head[3], head[4], int.from_bytes(head[5:]), payload)
        except (asyncio.IncompleteReadError, OSError):
            self.is_closed = True

    def _handle_frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        is_end = kind == RST_STREAM or (kind in {HEADERS, DATA} and bool(flags & END_STREAM))
        if is_end and stream in self.open_streams:
            self.open_streams.discard(stream)
            self.ended += 1
        elif kind in {SETTINGS, PING} and not flags & ACK:
            self.writer.write(frame(kind, ACK, 0, payload if kind == PING else b""))


def trust(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["h2"])
    return context


@asynccontextmanager
async def connect(target: str, context: ssl.SSLContext) -> AsyncIterator[Connection]:
    host, _, port = target.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    writer.write(PREFACE + frame(SETTINGS, 0, 0, NO_HEADER_TABLE) + WINDOW)
    connection = Connection(reader=reader, writer=writer)
    reading = asyncio.create_task(connection.read(), name="stranger")
    try:
        yield connection
    finally:
        reading.cancel()
        writer.close()


def make_refused_call() -> tuple[str, Fields, bytes]:
    return "ScheduleMeet", (), frame_message(a_meet(1).SerializeToString())


def make_unknown_token() -> tuple[str, Fields, bytes]:
    token = b"gcs_" + CHANCE.randbytes(30).hex().encode()
    return "ScheduleMeet", ((b"authorization", b"Bearer " + token),), frame_message(b"x" * 50)


def make_odd_metadata() -> tuple[str, Fields, bytes]:
    size = CHANCE.choice([10, 1_000, 6_000, 12_000])
    name = b"x-" + CHANCE.randbytes(8).hex().encode()
    fields = ((name, CHANCE.randbytes(size // 2).hex().encode()),)
    return "GetJob", (*fields, (name + b"-bin", CHANCE.randbytes(30))), frame_message(b"")


def make_wrong_method() -> tuple[str, Fields, bytes]:
    path = CHANCE.choice(
        ["/", "//", "/scheduler.Scheduler/", "/scheduler.Scheduler/Nothing", "/a/b"]
    )
    return path + CHANCE.randbytes(6).hex(), (), frame_message(b"")


def make_truncated_message() -> tuple[str, Fields, bytes]:
    whole = frame_message(a_meet(1).SerializeToString(), declared_size=10_000)
    return "ScheduleMeet", (), whole[: CHANCE.randrange(1, len(whole))]


KINDS: dict[str, MakeCall] = {
    each.__name__.removeprefix("make_"): each
    for each in (
        make_refused_call,
        make_unknown_token,
        make_odd_metadata,
        make_wrong_method,
        make_truncated_message,
    )
}


async def send_calls(
    kind: str, target: str, context: ssl.SSLContext, *, seconds: float, per_second: float
) -> dict[str, float]:
    """Send calls evenly over all connections; one that the service closes is opened again."""
    make, started, reopened, skipped = KINDS[kind], time.monotonic(), 0, 0
    closed_started = closed_ended = sent = 0
    async with AsyncExitStack() as stack:
        open_ = [
            await stack.enter_async_context(connect(target, context)) for _ in range(CONNECTIONS)
        ]
        while (elapsed := time.monotonic() - started) < seconds:
            expected = int(elapsed * per_second)
            while sent < expected:
                at = sent % CONNECTIONS
                sent += 1
                if open_[at].is_closed:
                    closed_started += open_[at].started
                    closed_ended += open_[at].ended
                    open_[at] = await stack.enter_async_context(connect(target, context))
                    reopened += 1
                if len(open_[at].open_streams) >= MAX_OPEN_STREAMS:
                    skipped += 1
                    continue
                open_[at].call(*make())
            await asyncio.sleep(TICK_SECONDS)
        return {
            "seconds": round(time.monotonic() - started, 1),
            "sent": closed_started + sum(each.started for each in open_),
            "ended": closed_ended + sum(each.ended for each in open_),
            "not_sent": skipped,  # because too many of its streams were open
            "reopened": reopened,
        }


async def half_handshakes(target: str, *, seconds: float, count: int) -> dict[str, float]:
    """Open *count* connections that begin a TLS handshake and never go on."""
    host, _, port = target.rpartition(":")
    writers = []
    for _ in range(count):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(CLIENT_HELLO_START)
        writers.append(writer)
    await asyncio.sleep(seconds)
    for writer in writers:
        writer.close()
    return {"seconds": seconds, "sent": count}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=[*KINDS, "half_handshakes"])
    parser.add_argument("target")
    parser.add_argument("ca_file")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--per-second", type=float, default=1_000.0)
    chosen = parser.parse_args()
    if chosen.kind == "half_handshakes":
        count = int(chosen.per_second)
        seen = asyncio.run(half_handshakes(chosen.target, seconds=chosen.seconds, count=count))
    else:
        seen = asyncio.run(
            send_calls(
                chosen.kind,
                chosen.target,
                trust(chosen.ca_file),
                seconds=chosen.seconds,
                per_second=chosen.per_second,
            )
        )
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main()
