"""A relay that accepts everything, and costs little itself: it parses no more than it must.

    python -m gcsched.bench.sink PORT LEDGER [--reply-delay SECONDS]

It appends a line to the file LEDGER for each mail: the recipient, and when the mail arrived. With
a delay it holds each reply back, in order, as a relay so far away would.
"""

import argparse
import asyncio
import time
from importlib import import_module
from pathlib import Path
from typing import TextIO, cast

FLUSH_SECONDS = 0.05
EHLO = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 33554432\r\n"
REPLIES = {b"EHLO": EHLO, b"DATA": b"354 go on\r\n", b"QUIT": b"221 2.0.0 bye\r\n"}
END_OF_MAIL = b"\r\n.\r\n"


class SinkSession(asyncio.Protocol):
    """One connection. A group of commands, or a mail and the next one's commands, may be one."""

    transport: asyncio.Transport

    def __init__(self, ledger: TextIO, delay_seconds: float) -> None:
        self.ledger, self.delay_seconds = ledger, delay_seconds
        self.loop = asyncio.get_running_loop()
        self.buffer, self.is_in_mail, self.recipient = b"", False, ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own class is not one
        self.reply(b"220 sink ESMTP\r\n")

    def reply(self, text: bytes) -> None:
        if self.delay_seconds:
            self.loop.call_later(self.delay_seconds, self.transport.write, text)
        else:
            self.transport.write(text)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        replies = []
        while True:
            end = END_OF_MAIL if self.is_in_mail else b"\r\n"
            text, found, rest = self.buffer.partition(end)
            if not found:
                break
            self.buffer = rest
            replies.append(self.accept_mail() if self.is_in_mail else self.answer(text))
        if replies:
            self.reply(b"".join(replies))

    def accept_mail(self) -> bytes:
        self.is_in_mail = False
        self.ledger.write(f"{self.recipient} {time.time():.6f}\n")
        return b"250 2.0.0 accepted\r\n"

    def answer(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"RCPT":
            self.recipient = line[line.index(b"<") + 1 : line.index(b">")].decode()
        self.is_in_mail = verb == b"DATA"
        if verb == b"QUIT":
            self.loop.call_later(self.delay_seconds + 0.01, self.transport.close)
        return REPLIES.get(verb, b"250 2.0.0 ok\r\n")


async def serve(port: int, ledger: Path, delay_seconds: float) -> None:
    """Serve until the process is killed; the ledger has each mail after FLUSH_SECONDS."""
    with ledger.open("a", encoding="utf-8") as file:
        server = await asyncio.get_running_loop().create_server(
            lambda: SinkSession(file, delay_seconds), "127.0.0.1", port, backlog=4096
        )
        async with server:
            while True:
                await asyncio.sleep(FLUSH_SECONDS)
                file.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("ledger", type=Path)
    parser.add_argument("--reply-delay", type=float, default=0.0, metavar="SECONDS")
    options = parser.parse_args()
    try:
        factory = import_module("uvloop").new_event_loop
    except ModuleNotFoundError:  # it is not part of the extra `embedded`
        factory = None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(options.port, options.ledger, options.reply_delay))


if __name__ == "__main__":
    main()
