"""The script of the tests' relay: actions, rules, and the mails that it kept."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesHeaderParser
from enum import StrEnum
from functools import cached_property


class At(StrEnum):
    """Where a rule can apply; equal to the Stage of the same name."""

    CONNECT = "CONNECT"  # the greeting
    EHLO = "EHLO"
    TLS = "TLS"  # the reply to STARTTLS
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    BODY = "BODY"  # the reply to the final dot
    RSET = "RSET"
    QUIT = "QUIT"


@dataclass(frozen=True, slots=True)
class Answer:
    """Reply this instead; a text of several lines becomes a reply of several lines."""

    code: int
    text: str = "scripted"


@dataclass(frozen=True, slots=True)
class Raw:
    """Send these octets instead of a reply."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Hang:
    """Send nothing; with an event, send the ordinary reply once it is set."""

    until: asyncio.Event | None = None


@dataclass(frozen=True, slots=True)
class Trickle:
    """Send the ordinary reply octet by octet."""

    every: float = 0.01


@dataclass(frozen=True, slots=True)
class Late:
    """Send the ordinary reply after *seconds*."""

    seconds: float


@dataclass(frozen=True, slots=True)
class StopReading:
    """Send the ordinary reply, then read nothing more."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Hang up before the command has an effect, or right *after* the ordinary reply."""

    after: bool = False


@dataclass(frozen=True, slots=True)
class LoseReply:
    """Carry out the command (at BODY: keep the mail), then hang up without a reply."""


Action = Answer | Raw | Hang | Late | Trickle | StopReading | Drop | LoseReply


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The input of a rule: `nth` counts from 1 how often this relay came to `at`."""

    at: str
    nth: int
    session: int
    recipient: str = ""


Rule = Callable[[Moment], Action | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedRule:
    """Do `action` the `nth` time at this stage, or every time; only for recipient `to`, if set."""

    at: str
    action: Action
    nth: int | None = None
    to: str = ""

    def __call__(self, moment: Moment) -> Action | None:
        applies = self.at == moment.at and self.to.lower() in {"", moment.recipient}
        return self.action if applies and self.nth in {None, moment.nth} else None


@dataclass
class Greylist:
    """Refuse each recipient once."""

    known: set[str] = field(default_factory=set)

    def __call__(self, moment: Moment) -> Action | None:
        if moment.at != At.RCPT or moment.recipient in self.known:
            return None
        self.known.add(moment.recipient)
        return Answer(450, "4.2.0 greylisted, try again in 300 seconds")


@dataclass
class Throttle:
    """Answer 421 to the mails that come faster than `per_second`."""

    per_second: int
    seen: Counter[int] = field(default_factory=Counter)

    def __call__(self, moment: Moment) -> Action | None:
        if moment.at != At.MAIL:
            return None
        second = int(time.time())
        self.seen[second] += 1
        too_fast = self.seen[second] > self.per_second
        return Answer(421, "4.7.0 too many mails, slow down") if too_fast else None


FAULTS: dict[str, tuple[Action, ...]] = {
    At.CONNECT: (
        Answer(421, "4.3.2 not now"),
        Answer(554, "5.7.1 not you"),
        Drop(),
        Drop(after=True),
    ),
    At.EHLO: (Drop(), Drop(after=True), Answer(421, "4.3.2 going down")),
    At.MAIL: (
        Answer(451, "4.3.0 disk full"),
        Answer(421, "4.7.0 slow down"),
        Drop(),
        Drop(after=True),
    ),
    At.RCPT: (
        Answer(450, "4.2.0 greylisted, try again in 60 seconds"),
        Answer(550, "5.1.1 no such user"),
        Answer(550, "5.7.1 not from you"),
        Answer(421, "4.4.2 tired"),
        Drop(),
    ),
    At.DATA: (Answer(451, "4.3.0 busy"), Answer(421, "4.3.2 going down"), Drop(), Drop(after=True)),
    At.BODY: (
        Answer(451, "4.3.0 try again"),
        Answer(554, "5.6.0 not like this"),
        Answer(421, "4.3.2 going down"),
        Trickle(0.001),
        Drop(),
        Drop(after=True),
        LoseReply(),
    ),
    At.RSET: (Answer(500, "5.5.1 what"), Drop(), Drop(after=True)),
}


def repeatable(seed: int | str) -> random.Random:
    return random.Random(seed)  # noqa: S311 - repeatable, not secret


class Faults:
    """Random faults that end soon, in a share of all moments; the same for the same seed."""

    def __init__(self, *, seed: int, share: float = 0.1) -> None:
        self._random = repeatable(seed)
        self._share = share

    def __call__(self, moment: Moment) -> Action | None:
        if moment.at not in FAULTS or self._random.random() >= self._share:
            return None
        return self._random.choice(FAULTS[moment.at])


class SlowReplies:
    """Delays the replies to RCPT, DATA and the final dot by up to *longest* seconds each."""

    def __init__(self, *, seed: int, longest: float) -> None:
        self._random = repeatable(f"slow {seed}")
        self._longest = longest

    def __call__(self, moment: Moment) -> Action | None:
        if moment.at not in {At.RCPT, At.DATA, At.BODY}:
            return None
        return Late(self._random.uniform(0.0, self._longest))


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyStart:
    """The arrival of the first octets of a body, at *time* by `time.monotonic()`."""

    recipient: str
    time: float

    def as_json(self) -> str:
        return json.dumps({"recipient": self.recipient, "time": self.time})


@dataclass(frozen=True, kw_only=True)
class KeptMail:
    """One mail for one recipient that the relay accepted."""

    sender: str
    recipient: str
    content: bytes
    time: float
    session: int

    def header(self, name: str) -> str:
        return str(self.headers.get(name, ""))

    @cached_property
    def headers(self) -> Message:
        return BytesHeaderParser().parsebytes(self.content.partition(b"\r\n\r\n")[0])

    def as_json(self) -> str:
        return json.dumps(
            {
                "recipient": self.recipient,
                "time": self.time,
                "message_id": self.header("Message-ID"),
                "subject": self.header("Subject"),
                "session": self.session,
            }
        )


def code_of(action: Action | None, ordinary: int) -> int:
    """Return the code that *action* amounts to; 0 when the command is not carried out."""
    match action:
        case Answer(code):
            return code
        case Raw(octets):
            return int(octets[:3]) if octets[:3].isdigit() else 0
        case Hang(None) | Drop(after=False):
            return 0
    return ordinary


def hangs_up(action: Action | None) -> bool:
    """Return whether the session ends after *action*; real relays hang up after a 421."""
    match action:
        case Drop() | LoseReply() | Hang(None) | Answer(421):
            return True
    return False


def find_problems(content: bytes, parameters: dict[str, str]) -> list[str]:
    """Return the problems of a content that a client must not send."""
    lines = content.split(b"\r\n")
    inside = b"".join(lines)
    found = {
        "an empty mail": not content.strip(),
        "a CR or LF that is not part of a CRLF": b"\r" in inside or b"\n" in inside,
        "a line of more than 998 octets": max(map(len, lines)) > 998,
        "8-bit content without BODY=8BITMIME": not content.isascii()
        and parameters.get("BODY") != "8BITMIME",
        "SIZE is not the size": int(parameters.get("SIZE", len(content))) != len(content),
    }
    return [problem for problem, is_present in found.items() if is_present]
