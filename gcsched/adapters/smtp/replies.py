"""Parse the replies of a relay (RFC 5321 section 4.2). Pure: no I/O.

aiosmtplib's own protocol keeps one reply of a pipelined group and loses the others.
"""

import re
from collections.abc import Iterator

from gcsched.domain.caller_text import replace_unprintable
from gcsched.domain.smtp_reply import Reply, Stage

REFUSALS = range(400, 600)
COMPLETION, INTERMEDIATE = 2, 3  # first digits of positive replies, RFC 5321 section 4.2.1
MAX_LINE_OCTETS = 8 * 1024
MAX_REPLY_OCTETS = 32 * 1024
REPLY_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)


class InvalidReply(Exception):
    """The octets of the relay are not an SMTP reply."""


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
        if not others and reply.text.isprintable():
            return reply
        repeated = reply.enhanced_code or ""
        texts = [reply.text, *(line.removeprefix(repeated).strip() for line in others)]
        text = " ".join(text for text in texts if text)
        return Reply(
            stage=stage,
            code=self.code,
            enhanced_code=reply.enhanced_code,
            text=replace_unprintable(text),
        )


class ReplyParser:
    """Joins the octets of a relay to replies; `expected` counts the commands without a reply."""

    def __init__(self) -> None:
        self.expected = 0
        self._rest = b""  # of a line that is still incomplete
        self._code: bytes | None = None  # of a reply that is still incomplete
        self._lines: list[bytes] = []
        self._octets = 0

    def feed(self, data: bytes) -> Iterator[RawReply]:
        """Yield the replies that *data* completes. Raises InvalidReply."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if (reply := self._add_line(line.removesuffix(b"\r"))) is not None:
                self.expected -= 1
                yield reply
        # A relay that speaks first may close with 421, or be out of step: either way no later reply
        # could be matched to its command.
        if self._rest and not self.expected:
            raise InvalidReply("the relay sent a reply without a command")
        if len(self._rest) > MAX_LINE_OCTETS:
            raise InvalidReply("the relay sent an endless line")

    def _add_line(self, line: bytes) -> RawReply | None:
        """Return the reply that *line* completes."""
        if not self.expected:
            raise InvalidReply("the relay sent a reply without a command")
        found = REPLY_LINE.fullmatch(line)
        if found is None or len(line) > MAX_LINE_OCTETS or self._code not in {None, found[1]}:
            raise InvalidReply("the relay sent a line that is not an SMTP reply")
        if self._octets + len(line) > MAX_REPLY_OCTETS:
            raise InvalidReply("the relay sent an endless reply")
        code, mark, text = found.groups()
        self._lines.append(text or b"")
        if mark == b"-":
            self._code = code
            self._octets += len(code) + len(self._lines[-1])
            return None
        reply = RawReply(int(code), self._lines)
        self._code, self._lines, self._octets = None, [], 0
        return reply
