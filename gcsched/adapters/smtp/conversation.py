"""Commands out, replies in: our asyncio protocol on the transport that aiosmtplib opened.

aiosmtplib's own protocol keeps one reply of a pipelined group and loses the others.
"""

import asyncio
import re
from collections import deque
from datetime import timedelta

from gcsched.domain.caller_text import printable
from gcsched.domain.smtp_reply import Reply, Stage

REFUSALS = range(400, 600)
LONGEST_LINE = 8 * 1024
LONGEST_REPLY = 32 * 1024
REPLY_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)


class Lost(Exception):
    """The conversation cannot go on; what was not answered yet never will be."""


class TimedOut(Lost):
    """The relay did not answer in time."""


class Answer:
    """One reply as it came in; its text is read only if somebody wants it."""

    __slots__ = ("code", "lines")

    def __init__(self, code: int, lines: list[bytes]) -> None:
        self.code = code
        self.lines = lines

    def at(self, stage: Stage) -> Reply:
        """Join the lines; an enhanced code repeated on each of them is kept once."""
        first, *others = [line.decode(errors="replace").strip() for line in self.lines]
        reply = Reply.parse(stage, self.code, first)
        repeated = reply.enhanced_code or ""
        texts = [reply.text, *(line.removeprefix(repeated).strip() for line in others)]
        text = " ".join(text for text in texts if text)
        return Reply(stage=stage, code=self.code, enhanced_code=reply.enhanced_code, text=printable(text))


class Conversation(asyncio.Protocol):
    """One relay's end of the line; whoever speaks says how many answers it expects."""

    def __init__(self, transport: asyncio.Transport) -> None:
        """Take *transport* over: from now on its data come here."""
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._rest = b""
        self._code: bytes | None = None  # of a reply that has begun
        self._lines: list[bytes] = []
        self._octets = 0
        self._expected = 0
        self._answers: deque[Answer] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._goodbye: asyncio.TimerHandle | None = None
        self._why_lost: str | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()
        transport.set_protocol(self)

    @property
    def is_alive(self) -> bool:
        return self._why_lost is None and not self._transport.is_closing()

    @property
    def unsent(self) -> int:
        """Tell how many octets still wait in our own buffers."""
        return self._transport.get_write_buffer_size()

    def check(self) -> None:
        """Raise Lost if the relay has gone, or spoke without being asked."""
        if not self.is_alive:
            raise Lost(self._why_lost or "the connection is closing")

    def say(self, *commands: bytes) -> None:
        """Write *commands* at once; each is owed one answer."""
        self.check()
        self._expected += len(commands)
        self._transport.write(commands[0] if len(commands) == 1 else b"".join(commands))

    async def answer(self, within: timedelta) -> Answer:
        """Give the next answer; it must be complete *within* that time, however slowly it drips."""
        if not self._answers:
            await self._wait(within.total_seconds())
        return self._answers.popleft()

    def abort(self) -> None:
        """End it now, whatever is under way."""
        self._end("the session was given up")
        self._transport.abort()

    def leave(self, within: timedelta) -> None:
        """Say QUIT; close on the answer, or without it after that time."""
        if not self.is_alive:
            self.abort()
            return
        self._goodbye = self._loop.call_later(within.total_seconds(), self.abort)
        self.say(b"QUIT\r\n")

    # What the transport calls

    def data_received(self, data: bytes) -> None:
        if self._why_lost is not None:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line.removesuffix(b"\r"))
        if self._rest and not self._expected:
            self._lose("the relay spoke without being asked")
        if len(self._rest) > LONGEST_LINE:
            self._lose("the relay sent a line without an end")

    def eof_received(self) -> None:
        self._lose("the relay closed the connection")

    def connection_lost(self, error: Exception | None) -> None:
        self._end("the connection closed" if error is None else "the connection broke")
        if self._goodbye is not None:
            self._goodbye.cancel()
        if not self.closed.done():
            self.closed.set_result(None)

    # What that comes to

    def _take(self, line: bytes) -> None:
        found = REPLY_LINE.fullmatch(line)
        if self._why_lost is not None:
            return
        if not self._expected:
            self._lose("the relay spoke without being asked")
        elif found is None or len(line) > LONGEST_LINE or self._code not in {None, found[1]}:
            self._lose("the relay sent a line that is no SMTP reply")
        elif self._octets + len(line) > LONGEST_REPLY:
            self._lose("the relay sent a reply without an end")
        else:
            self._collect(*found.groups())

    def _collect(self, code: bytes, mark: bytes | None, text: bytes | None) -> None:
        self._lines.append(text or b"")
        if mark == b"-":
            self._code = code
            self._octets += len(code) + len(self._lines[-1])
            return
        self._answers.append(Answer(int(code), self._lines))
        self._code, self._lines, self._octets = None, [], 0
        self._expected -= 1
        if self._goodbye is not None:
            self._transport.close()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _lose(self, why: str) -> None:
        # Not at once: asyncio's TLS fails if it is closed while it hands us its last octets.
        self._loop.call_soon(self._transport.abort)
        self._end(why)

    def _end(self, why: str) -> None:
        """Remember the first reason; answers that were complete before it still count."""
        if self._why_lost is None:
            self._why_lost = why
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Lost(self._why_lost))

    async def _wait(self, seconds: float) -> None:
        # A future and a timer, because asyncio.timeout and wait_for cost several times as much.
        if self._why_lost is not None:
            raise Lost(self._why_lost)
        self._waiter = self._loop.create_future()
        timer = self._loop.call_later(seconds, self._expire, self._waiter, seconds)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _expire(self, waiter: asyncio.Future[None], seconds: float) -> None:
        if not waiter.done():
            waiter.set_exception(TimedOut(f"no answer within {seconds:g} seconds"))
