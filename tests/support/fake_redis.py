"""A server that speaks RESP over TCP and sends the replies of a test, valid or not."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.support.connections import serve_streams

Command = list[bytes]
Reply = Callable[[Command], bytes]

HANDSHAKE = {b"CLIENT", b"SELECT", b"AUTH", b"HELLO"}
FLOOD = b"x" * 65536
ERRORS = (
    *("ERR what", "MOVED 1 127.0.0.1:1", "ASK 1 nowhere", "NOSCRIPT none", "LOADING wait"),
    *("READONLY a replica", "OOM full", "NOAUTH log in", "WRONGTYPE no list", "EXECABORT"),
    *("NOPERM never", "BUSY a script", "MASTERDOWN alone", "CLUSTERDOWN", "UNKILLABLE", ""),
)


def always_reply(octets: bytes) -> Reply:
    return lambda _: octets


def reply_ones(command: Command) -> bytes:
    """Answer 1 for each key: the shape is valid, but the value proves nothing."""
    count = len(command) - 1
    if command[0].upper() != b"MGET":
        return b":1\r\n"
    return b"*%d\r\n" % count + b"$1\r\n1\r\n" * count


def bulk_string(octets: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(octets), octets)


REPLIES: Mapping[str, Reply] = {
    "OK": always_reply(b"+OK\r\n"),
    "one": always_reply(b":1\r\n"),
    "ones": reply_ones,
    "zero": always_reply(b":0\r\n"),
    "less than nothing": always_reply(b":-9\r\n"),
    "the largest integer": always_reply(b":9223372036854775807\r\n"),
    "null": always_reply(b"$-1\r\n"),
    "null array": always_reply(b"*-1\r\n"),
    "empty array": always_reply(b"*0\r\n"),
    "nested arrays": always_reply(b"*2\r\n*1\r\n*0\r\n*1\r\n:1\r\n"),
    "deep arrays": always_reply(b"*1\r\n" * 5000),
    "two integers": always_reply(b"*2\r\n:5\r\n:5\r\n"),
    "a large grant": always_reply(b"*2\r\n:1000000\r\n:0\r\n"),
    "two zeros": always_reply(b"*2\r\n:0\r\n:0\r\n"),
    "a negative wait": always_reply(b"*2\r\n:0\r\n:-5\r\n"),
    "a wait of years": always_reply(b"*2\r\n:0\r\n:999999999999999\r\n"),
    "a text": always_reply(bulk_string(b"what a text")),
    "a number as text": always_reply(bulk_string(b"5")),
    "an empty text": always_reply(bulk_string(b"")),
    "binary": always_reply(bulk_string(bytes(range(256)))),
    "array with errors": always_reply(b"*2\r\n-ERR one\r\n-LOADING two\r\n"),
    "wake-ups": always_reply(
        b"*3\r\n" + bulk_string(b"gcsched:wake:5") + bulk_string(b"\xff\xfe") + b":7\r\n"
    ),
    "a map": always_reply(b"%1\r\n+a\r\n:1\r\n"),
    "a set": always_reply(b"~1\r\n:1\r\n"),
    "a push": always_reply(b">2\r\n+message\r\n+x\r\n"),
    "true": always_reply(b"#t\r\n"),
    "a double": always_reply(b",1.5\r\n"),
    "not a number": always_reply(b",nan\r\n"),
    "endless": always_reply(b",inf\r\n"),
    "RESP3 null": always_reply(b"_\r\n"),
    "a big number": always_reply(b"(3492890328409238509324850943850943825024385\r\n"),
    "a verbatim text": always_reply(b"=5\r\ntxt:a\r\n"),
    "an attribute": always_reply(b"|1\r\n+a\r\n:1\r\n:1\r\n"),
    "a wrong type byte": always_reply(b"X\r\n"),
    "zero octets": always_reply(bytes(64)),
    "HTTP": always_reply(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
    "two replies": always_reply(b"+OK\r\n+OK\r\n"),
    "a reply and garbage": always_reply(b"*2\r\n:0\r\n:0\r\nX\r\n"),
    "many items announced": always_reply(b"*4294967295\r\n"),
    "a long text announced": always_reply(b"$536870912\r\n"),
    "half a text": always_reply(b"$20\r\nhalf"),
    "half a line": always_reply(b"+O"),
    "silence": always_reply(b""),
    **{f"error {name.partition(' ')[0]}": always_reply(f"-{name}\r\n".encode()) for name in ERRORS},
}


@dataclass(kw_only=True, eq=False)
class FakeRedis:
    """Answers each command by *reply*.

    With *accepts_handshake*, the handshake of a connection gets valid replies. With *floods*, each
    command gets an endless text, as fast as it is read.
    """

    reply: Reply = field(default=always_reply(b"+OK\r\n"))
    accepts_handshake: bool = True
    floods: bool = False
    port: int = field(default=0, init=False)
    commands: list[bytes] = field(default_factory=list, init=False)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set, init=False)

    @property
    def url(self) -> str:
        # With a password and a number, so that clients send AUTH and SELECT.
        return f"redis://:password@127.0.0.1:{self.port}/3"

    def drop_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
                while True:
                    command = await read_command(reader)
                    self.commands.append(command[0])
                    await self._answer(command, writer)
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _answer(self, command: Command, writer: asyncio.StreamWriter) -> None:
        if self.accepts_handshake and command[0].upper() in HANDSHAKE:
            writer.write(b"+OK\r\n")
        elif self.floods:
            writer.write(b"$2000000000\r\n")
            while not writer.is_closing():
                writer.write(FLOOD)
                await writer.drain()
        else:
            writer.write(self.reply(command))
        await writer.drain()


async def read_command(reader: asyncio.StreamReader) -> Command:
    count = int((await reader.readuntil(b"\r\n"))[1:])
    parts = []
    for _ in range(count):
        size = int((await reader.readuntil(b"\r\n"))[1:])
        parts.append((await reader.readexactly(size + 2))[:-2])
    return parts


@asynccontextmanager
async def a_fake_redis(reply: Reply = REPLIES["OK"]) -> AsyncIterator[FakeRedis]:
    fake = FakeRedis(reply=reply)
    async with serve_streams(fake.serve) as fake.port:
        yield fake


def random_reply(chance: random.Random, *, depth: int = 0) -> bytes:
    """Make a complete reply of any type, with values near the valid ones and far from them."""
    if depth < 3 and chance.random() < 0.4:
        items = [random_reply(chance, depth=depth + 1) for _ in range(chance.randrange(4))]
        return chance.choice([b"*", b"*", b"~", b">"]) + b"%d\r\n" % len(items) + b"".join(items)
    number = chance.choice([0, 1, 2, 10, -1, 2**31, 2**62, -(2**62), chance.randrange(10**6)])
    return chance.choice(
        [
            *(b":%d\r\n" % number, bulk_string(b"%d" % number), b"$-1\r\n", b"+OK\r\n"),
            *(b"-ERR no\r\n", b"#f\r\n", b",%d.5\r\n" % number, bulk_string(b"\xff")),
        ]
    )
