"""What a relay's answer means for the job. Pure tables over stage, basic and enhanced code."""

import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Stage(StrEnum):
    """Where in the conversation something happened."""

    CONNECT = "CONNECT"
    TLS = "TLS"
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    BODY = "BODY"  # from the first octet of the content to the reply to the final dot


class Kind(StrEnum):
    """What an attempt came to."""

    ACCEPTED = "ACCEPTED"
    LATER = "LATER"
    RECIPIENT = "RECIPIENT"
    CONTENT = "CONTENT"
    POLICY = "POLICY"
    OURS = "OURS"
    UNCERTAIN = "UNCERTAIN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One SMTP reply: basic code, enhanced code (RFC 3463) if it carries one, and its text."""

    stage: Stage
    code: int
    enhanced: str | None = None
    text: str = ""

    @classmethod
    def parse(cls, stage: Stage, code: int, text: str) -> "Reply":
        """Split an enhanced code off the front of *text*, when it belongs to *code*'s class."""
        found = ENHANCED.match(text)
        if found and found[1][0] == str(code)[0]:
            return cls(stage=stage, code=code, enhanced=found[1], text=text[found.end() :].strip())
        return cls(stage=stage, code=code, text=text.strip())

    def __str__(self) -> str:
        enhanced = f" {self.enhanced}" if self.enhanced else ""
        return f"{self.code}{enhanced} at {self.stage}: {self.text[:512]}"


@dataclass(frozen=True, slots=True)
class Answered:
    """The relay decided: it took the mail, or refused at some stage.

    *note* is what we add where it took another form of the mail than was asked for.
    """

    reply: Reply
    note: str = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """The session failed at *stage*; at BODY nobody knows whether the relay took the mail."""

    stage: Stage
    reason: str


@dataclass(frozen=True, slots=True)
class Withheld:
    """Nothing was transmitted: the claim was gone, or too little of its lease was left."""

    reason: str


Transmission = Answered | Broken | Withheld

OK = range(200, 300)
TRANSIENT = range(400, 500)
SERVICE_CLOSING = 421
AUTH_CODES = frozenset({530, 534, 535, 538})  # RFC 4954, section 6
OUT_OF_STEP = frozenset({500, 502, 503})  # RFC 5321, section 4.2.4: commands, not mails
OPENING = frozenset({Stage.CONNECT, Stage.TLS, Stage.AUTH})
MAIL, BODY = frozenset({Stage.MAIL}), frozenset({Stage.BODY})
AFTER_MAIL = frozenset({Stage.RCPT, Stage.DATA, Stage.BODY})

# Some relays write "#5.1.0 text", "5.7.1: text" or "5.7.1, text".
ENHANCED = re.compile(r"#?([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:[\s:,]+|$)")
HINT = re.compile(r"\b(\d{1,5})\s*(s|sec|second|m|min|minute|h|hour)s?\b", re.IGNORECASE)
SECONDS = {"s": 1, "m": 60, "h": 3600}
LONGEST_HINT = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. What it does not name may be anything; *enhanced* is a pattern."""

    kind: Kind
    at: Container[Stage] = frozenset(Stage)
    codes: Container[int] = range(1000)
    enhanced: str = ""

    def fits(self, reply: Reply) -> bool:
        return (
            reply.stage in self.at
            and reply.code in self.codes
            and (not self.enhanced or bool(re.fullmatch(self.enhanced, reply.enhanced or "")))
        )


# Read downwards: the first row that fits decides. RFC 5321 section 4.2, RFC 3463, RFC 5248.
TABLE = (
    Row(Kind.ACCEPTED, BODY, OK),
    # Between us and the relay, and no fault of this mail.
    Row(Kind.OURS, OPENING),
    Row(Kind.OURS, codes={SERVICE_CLOSING} | AUTH_CODES | OUT_OF_STEP),
    Row(Kind.OURS, MAIL, enhanced=r"[45]\.1\..*"),  # only our sender is in question there
    Row(Kind.OURS, MAIL, enhanced=r"[45]\.7\..*"),
    # For this mail, not now; then for this mail, never.
    Row(Kind.LATER, codes=TRANSIENT),
    Row(Kind.RECIPIENT, AFTER_MAIL, enhanced=r"5\.1\.(1|2|3|6|10)|5\.2\.1"),
    Row(Kind.POLICY, enhanced=r"5\.7\..*"),
    Row(Kind.CONTENT, enhanced=r"5\..*"),  # 5.6.x, too large (5.2.3, 5.3.4), and the like
    Row(Kind.CONTENT, codes={552, 554}),
    Row(Kind.CONTENT, BODY),
    Row(Kind.POLICY),
)


def kind_of(reply: Reply) -> Kind:
    """Classify one decisive reply."""
    return next(row.kind for row in TABLE if row.fits(reply))


def is_throttling(reply: Reply) -> bool:
    """Tell whether the relay finds us too fast; at RCPT x.7.x is greylisting, of one recipient."""
    if reply.code == SERVICE_CLOSING:
        return True
    return reply.stage is not Stage.RCPT and (reply.enhanced or "").startswith("4.7.")


def hinted_wait(text: str) -> timedelta | None:
    """Read "try again in 300 seconds" out of a reply; at most four hours are believed."""
    found = HINT.search(text)
    if found is None:
        return None
    wait = timedelta(seconds=int(found[1]) * SECONDS[found[2][0].lower()])
    return min(wait, LONGEST_HINT) or None
