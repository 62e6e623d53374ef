"""Send commands and parse replies, by an asyncio protocol on the transport of aiosmtplib.

aiosmtplib's own protocol keeps one reply of a pipelined group and loses the others.
"""

import asyncio
import re
from collections import deque
from datetime import timedelta

from gcsched.domain.caller_text import replace_unprintable
from gcsched.domain.smtp_reply import Reply, Stage

REFUSALS = range(400, 600)
MAX_LINE_OCTETS = 8 * 1024
MAX_REPLY_OCTETS = 32 * 1024
REPLY_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)


class ConversationLost(Exception):
    """The conversation cannot go on: commands without a reply will never get one."""


class ReplyTimeout(ConversationLost):
    """The relay did not reply in time."""


class RawReply:
    """One reply as it arrived; its text is parsed only when needed."""

    __slots__ = ("code", "lines")

    def __init__(self, code: int, lines: list[bytes]) -> None:
        self.code = code
        self.lines = lines

    def parse(self, stage: Stage) -> Reply:
        """Join the lines, and keep an enhanced code once that each of them repeats."""
        first, *others = [line.decode(errors="replace").strip() for line in self.lines]
        reply = Reply.parse(stage, self.code, first)
        repeated = reply.enhanced_code or ""
        texts = [reply.text, *(line.removeprefix(repeated).strip() for line in others)]
        text = " ".join(text for text in texts if text)
        return Reply(
            stage=stage,
            code=self.code,
            enhanced_code=reply.enhanced_code,
            text=replace_unprintable(text),
        )


class Conversation(asyncio.Protocol):
    """The protocol of one SMTP connection; each command expects one reply, in order."""

    def __init__(self, transport: asyncio.Transport) -> None:
        """Take over *transport*: from now on its data arrives here."""
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._buffer = b""
        self._code: bytes | None = None  # of a reply that is still incomplete
        self._lines: list[bytes] = []
        self._octets = 0
        self._expected = 0
        self._replies: deque[RawReply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._quit_timer: asyncio.TimerHandle | None = None
        self._lost_reason: str | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()
        transport.set_protocol(self)

    @property
    def is_alive(self) -> bool:
        return self._lost_reason is None and not self._transport.is_closing()

    @property
    def unsent_octets(self) -> int:
        """Return how many octets still wait in our own buffers."""
        return self._transport.get_write_buffer_size()

    def ensure_alive(self) -> None:
        """Raise ConversationLost if the relay has gone, or sent a reply without a command."""
        if not self.is_alive:
            raise ConversationLost(self._lost_reason or "the connection is closing")

    def send(self, *commands: bytes) -> None:
        """Write *commands* in one piece; each expects one reply."""
        self.ensure_alive()
        self._expected += len(commands)
        self._transport.write(commands[0] if len(commands) == 1 else b"".join(commands))

    async def read_reply(self, within: timedelta) -> RawReply:
        """Return the next reply; all of it must arrive *within* that time.

        Raises ReplyTimeout or ConversationLost.
        """
        if not self._replies:
            await self._wait_for_reply(within.total_seconds())
        return self._replies.popleft()

    def abort(self) -> None:
        """Close the connection now, even in the middle of a mail."""
        self._mark_lost("the session was aborted")
        self._transport.abort()

    def quit(self, within: timedelta) -> None:
        """Send QUIT; close on the reply, or without one after that time."""
        if not self.is_alive:
            self.abort()
            return
        self._quit_timer = self._loop.call_later(within.total_seconds(), self.abort)
        self.send(b"QUIT\r\n")

    # Called by the transport

    def data_received(self, data: bytes) -> None:
        if self._lost_reason is not None:
            return
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._handle_line(line.removesuffix(b"\r"))
        # A relay that speaks first may close with 421, or be out of step: either way no later reply
        # could be matched to its command.
        if self._buffer and not self._expected:
            self._fail("the relay sent a reply without a command")
        if len(self._buffer) > MAX_LINE_OCTETS:
            self._fail("the relay sent an endless line")

    def eof_received(self) -> None:
        self._fail("the relay closed the connection")

    def connection_lost(self, error: Exception | None) -> None:
        self._mark_lost("the connection closed" if error is None else "the connection broke")
        if self._quit_timer is not None:
            self._quit_timer.cancel()
        if not self.closed.done():
            self.closed.set_result(None)

    # Replies, and the end of the conversation

    def _handle_line(self, line: bytes) -> None:
        found = REPLY_LINE.fullmatch(line)
        if self._lost_reason is not None:
            return
        if not self._expected:
            self._fail("the relay sent a reply without a command")
        elif found is None or len(line) > MAX_LINE_OCTETS or self._code not in {None, found[1]}:
            self._fail("the relay sent a line that is not an SMTP reply")
        elif self._octets + len(line) > MAX_REPLY_OCTETS:
            self._fail("the relay sent an endless reply")
        else:
            self._add_line(*found.groups())

    def _add_line(self, code: bytes, mark: bytes | None, text: bytes | None) -> None:
        self._lines.append(text or b"")
        if mark == b"-":
            self._code = code
            self._octets += len(code) + len(self._lines[-1])
            return
        self._replies.append(RawReply(int(code), self._lines))
        self._code, self._lines, self._octets = None, [], 0
        self._expected -= 1
        if self._quit_timer is not None:
            self._transport.close()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, why: str) -> None:
        # In the next turn of the loop: asyncio's TLS fails if it is closed while it delivers data.
        self._loop.call_soon(self._transport.abort)
        self._mark_lost(why)

    def _mark_lost(self, why: str) -> None:
        """Keep the first reason; replies that were complete before it still count."""
        if self._lost_reason is None:
            self._lost_reason = why
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConversationLost(self._lost_reason))

    async def _wait_for_reply(self, seconds: float) -> None:
        # A future and a timer: asyncio.timeout and wait_for take several times as long.
        if self._lost_reason is not None:
            raise ConversationLost(self._lost_reason)
        self._waiter = self._loop.create_future()
        timer = self._loop.call_later(seconds, self._time_out, self._waiter, seconds)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _time_out(self, waiter: asyncio.Future[None], seconds: float) -> None:
        if not waiter.done():
            waiter.set_exception(ReplyTimeout(f"no answer within {seconds:g} seconds"))
