"""What a relay's answer means for the job. Pure tables over stage, basic and enhanced code."""

import re
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
    """The relay decided: it took the mail, or refused at some stage."""

    reply: Reply


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
ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")
RECIPIENT_CODES = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
CONTENT_BASIC = frozenset({552, 554})
HINT = re.compile(r"\b(\d{1,5})\s*(s|sec|second|m|min|minute|h|hour)s?\b", re.IGNORECASE)
SECONDS = {"s": 1, "m": 60, "h": 3600}
LONGEST_HINT = timedelta(hours=4)


def kind_of(reply: Reply) -> Kind:
    """Classify one decisive reply by RFC 5321 section 4.2 and RFC 3463 / RFC 5248."""
    if reply.stage is Stage.BODY and reply.code in OK:
        return Kind.ACCEPTED
    if is_ours(reply):
        return Kind.OURS
    if reply.code in TRANSIENT:
        return Kind.LATER
    return permanent_kind(reply)


def is_ours(reply: Reply) -> bool:
    """Tell what is between us and the relay, and no fault of this mail: RFC 5321 section 3.8."""
    if reply.stage in {Stage.CONNECT, Stage.TLS, Stage.AUTH}:
        return True
    if reply.code == SERVICE_CLOSING or reply.code in AUTH_CODES:
        return True
    return reply.stage is Stage.MAIL and reply.enhanced is not None and subject_of(reply) == "7"


def permanent_kind(reply: Reply) -> Kind:
    if reply.enhanced in RECIPIENT_CODES and reply.stage is not Stage.MAIL:
        return Kind.RECIPIENT
    if reply.enhanced is not None:
        return Kind.POLICY if subject_of(reply) == "7" else Kind.CONTENT
    if reply.stage is Stage.BODY or reply.code in CONTENT_BASIC:
        return Kind.CONTENT
    return Kind.POLICY


def subject_of(reply: Reply) -> str | None:
    """Give the middle number of the enhanced code: 7 is security and policy."""
    return reply.enhanced.split(".")[1] if reply.enhanced else None


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
