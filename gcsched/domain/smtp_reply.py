"""What a relay's answer means for the job. Pure tables over code, enhanced code and words.

The stage says little: Postfix tells at RCPT what it holds against our sender, and Exchange after
the dot.
"""

import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache

from gcsched.domain import smtp_reply_words as said


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
    DEFERRED = "DEFERRED"
    RECIPIENT = "RECIPIENT"
    CONTENT = "CONTENT"
    POLICY = "POLICY"
    RELAY = "RELAY"
    UNCERTAIN = "UNCERTAIN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One SMTP reply: basic code, enhanced code (RFC 3463) if it carries one, and its text."""

    stage: Stage
    code: int
    enhanced_code: str | None = None
    text: str = ""

    @classmethod
    def parse(cls, stage: Stage, code: int, text: str) -> "Reply":
        """Split an enhanced code off the front of *text*, when it belongs to *code*'s class.

        qmail writes it at the end, in brackets; there it stays in the text.
        """
        found = ENHANCED.match(text)
        if found and found[1][0] == str(code)[0]:
            return cls(
                stage=stage, code=code, enhanced_code=found[1], text=text[found.end() :].strip()
            )
        found = ENHANCED_LAST.search(text)
        enhanced = found[1] if found and found[1][0] == str(code)[0] else None
        return cls(stage=stage, code=code, enhanced_code=enhanced, text=text.strip())

    def __str__(self) -> str:
        enhanced = f" {self.enhanced_code}" if self.enhanced_code else ""
        return f"{self.code}{enhanced} at {self.stage}: {self.text[:512]}"


@dataclass(frozen=True, slots=True)
class Answered:
    """The relay decided: it took the mail, or refused at some stage.

    *note* is what we add where it took another form of the mail than was asked for. *is_doubted*
    says that it refuses one recipient after the other: that is no word on this one.
    """

    reply: Reply
    note: str = ""
    is_doubted: bool = False

    @property
    def kind(self) -> Kind:
        return Kind.RELAY if self.is_doubted else kind_of(self.reply)


@dataclass(frozen=True, slots=True)
class Broken:
    """The session failed at *stage*; at BODY nobody knows whether the relay took the mail."""

    stage: Stage
    reason: str


@dataclass(frozen=True, slots=True)
class Withheld:
    """Nothing was transmitted: the claim was gone, or too little of its lease was left.

    *wait* is how long to leave the mail alone; None: it may be claimed again at once.
    """

    reason: str
    wait: timedelta | None = None


Transmission = Answered | Broken | Withheld

OK = range(200, 300)
TRANSIENT = range(400, 500)
PERMANENT = range(500, 600)
SERVICE_CLOSING = 421
NO_MAIL_HERE = 521  # RFC 7504
STORAGE_EXCEEDED = 552  # RFC 5321, section 4.2.2: exceeded storage allocation
AUTH_CODES = frozenset({530, 534, 535, 538})  # RFC 4954, section 6
COMMAND_ERRORS = frozenset({500, 502, 503})  # RFC 5321, section 4.2.4: commands, not mails
PARAMETER_ERRORS = frozenset({501, 504, 555})  # what a command was given
OPENING_STAGES = frozenset({Stage.CONNECT, Stage.TLS, Stage.AUTH})
MAIL, RCPT, BODY = (frozenset({stage}) for stage in (Stage.MAIL, Stage.RCPT, Stage.BODY))
ENVELOPE, WITH_CONTENT = MAIL | RCPT, BODY | {Stage.DATA}
AFTER_MAIL = frozenset({Stage.RCPT, Stage.DATA, Stage.BODY})

# Some relays write "#5.1.0 text", "5.7.1: text" or "5.7.1, text".
ENHANCED = re.compile(r"#?([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:[\s:,]+|$)")
ENHANCED_LAST = re.compile(r"\(#([245]\.[0-9]{1,3}\.[0-9]{1,3})[^()]*\)\s*$")

NO_CODE = "(?:)"  # a reply without an enhanced code
USER_CODES = r"5\.1\.(1|6|10)|5\.2\.1"
DOMAIN_CODES = r"5\.1\.[23]"
MAILBOX_CODES = r"[45]\.2\.2"
SIZE_CODES = r"5\.2\.3|5\.3\.4"
FORMAT_CODES = r"5\.(2\.3|3\.3|6\..*)"
SINGLE_MAIL_CODES = r"4\.(2\.[23]|3\.[34]|6\..*)"
# RFC 3463 and 5248, RFC 7372 (SPF, DKIM), RFC 4954 (AUTH), RFC 3207 (TLS); then Exchange's own.
RELAY_CODES = (
    r"[45]\.1\.[78]|[45]\.7\.(8|9|1[0-4]|2[0-9]|30)"
    r"|[45]\.3\.[15]|5\.3\.2|[45]\.4\.5|4\.7\.[56][0-9][0-9]"
    r"|5\.7\.(3|5[47]|6[04]|50[12368]|509|51[15]|52[0-9]|60[6-9]|6[1-4][0-9]|7[0-4][0-9]|750)"
)
# A filter's "not now" for one mail carries them as well: these two say less than they seem to.
UNCLEAR_SYSTEM_CODES = r"4\.3\.[02]"
SYSTEM_CODES = r"(?:[45]\.([2456]\..*|3\.[0-4]))?"  # or none
RESTRICTION_CODES = r"5\.7\.(2|17|18|50[457]|51[03]|12[0-9]|13[346])"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. What it does not name may be anything; *enhanced* is a pattern."""

    kind: Kind
    stages: Container[Stage] = frozenset(Stage)
    codes: Container[int] = range(1000)
    enhanced: str = ""
    words: re.Pattern[str] | None = None

    def matches(self, reply: Reply, text: str) -> bool:
        """Return whether *reply* is meant; *text* is what it says without addresses."""
        return (
            reply.stage in self.stages
            and reply.code in self.codes
            and (not self.enhanced or bool(re.fullmatch(self.enhanced, reply.enhanced_code or "")))
            and (self.words is None or bool(self.words.search(text)))
        )


# Read downwards: the first row that fits decides. RFC 5321 section 4.2, RFC 3463, RFC 5248.
TABLE = (
    # Between us and the relay, and no fault of this mail.
    Row(Kind.RELAY, OPENING_STAGES),
    Row(Kind.RELAY, codes={SERVICE_CLOSING, NO_MAIL_HERE} | AUTH_CODES | COMMAND_ERRORS),
    # Codes and words that leave no doubt whom they mean.
    Row(Kind.DEFERRED, AFTER_MAIL, words=said.BUSY_RECIPIENT),
    Row(Kind.DEFERRED, codes=TRANSIENT, words=said.GREYLISTED),
    Row(Kind.CONTENT, codes=PERMANENT, enhanced=SIZE_CODES),
    Row(Kind.POLICY, AFTER_MAIL, PERMANENT, RESTRICTION_CODES),
    # Some check that our sender exists: "no such user" is it then, whatever the code.
    Row(Kind.POLICY, AFTER_MAIL, PERMANENT, words=said.RESTRICTED),
    Row(Kind.RELAY, words=said.SENDER),
    Row(Kind.RECIPIENT, AFTER_MAIL, PERMANENT, rf"{USER_CODES}|5\.3\.0", said.NO_USER),
    Row(Kind.DEFERRED, AFTER_MAIL, enhanced=r"[45]\.3\.[01]", words=said.THE_MAILBOX_IS_FULL),
    Row(
        Kind.DEFERRED,
        AFTER_MAIL,
        {*TRANSIENT, STORAGE_EXCEEDED},
        SYSTEM_CODES,
        said.RECIPIENTS_SYSTEM,
    ),
    Row(Kind.DEFERRED, BODY, TRANSIENT, SYSTEM_CODES, said.FILTERS_SYSTEM),
    Row(Kind.RELAY, enhanced=RELAY_CODES),
    # Ours, in words: what we say we are, what proves it, where we are, how much we send.
    Row(Kind.RELAY, words=said.HELO),
    Row(Kind.RELAY, words=said.SENDING),
    Row(Kind.RELAY, words=said.PROOF),
    Row(Kind.POLICY, BODY, PERMANENT, r"5\.7\..*", said.SPAM),
    Row(Kind.CONTENT, BODY, PERMANENT, words=said.SPAM),
    Row(Kind.RELAY, words=said.CLIENT),
    Row(Kind.RELAY, words=said.RELAYING),
    Row(Kind.RELAY, words=said.LOGIN),
    Row(Kind.RELAY, words=said.ENCRYPTION),
    Row(Kind.DEFERRED, AFTER_MAIL, words=said.RECIPIENTS_RATE),
    Row(Kind.DEFERRED, AFTER_MAIL, TRANSIENT, SYSTEM_CODES, said.USERS_RATE),
    Row(Kind.DEFERRED, AFTER_MAIL, enhanced=r"4\.2\.[01]", words=said.NOT_WHAT_WE_SEND),
    Row(Kind.RELAY, words=said.QUOTA),
    Row(Kind.RELAY, words=said.PIPELINED),
    Row(Kind.RELAY, codes=PERMANENT, words=said.RELAY),
    Row(Kind.RELAY, codes=TRANSIENT, enhanced=UNCLEAR_SYSTEM_CODES, words=said.RELAY),
    Row(Kind.RELAY, codes=TRANSIENT, enhanced=NO_CODE, words=said.SYSTEM),
    # At MAIL nothing but our sender and the mail's size and form is in question.
    Row(Kind.DEFERRED, MAIL, TRANSIENT, SINGLE_MAIL_CODES),
    Row(Kind.DEFERRED, MAIL, TRANSIENT, NO_CODE, said.LARGE_MAIL),
    Row(Kind.RELAY, MAIL, TRANSIENT),
    Row(Kind.RELAY, MAIL, enhanced=r"5\.[17]\..*"),
    # For this mail, not now.
    Row(Kind.DEFERRED, AFTER_MAIL, enhanced=MAILBOX_CODES),
    Row(Kind.DEFERRED, AFTER_MAIL, words=said.FULL_MAILBOX),
    Row(Kind.DEFERRED, codes=TRANSIENT),
    # For this mail, never.
    Row(Kind.RECIPIENT, AFTER_MAIL, enhanced=f"{USER_CODES}|{DOMAIN_CODES}"),
    Row(Kind.RECIPIENT, AFTER_MAIL, enhanced=r"5\.4\.1", words=said.REJECTED_RECIPIENT),
    Row(Kind.RECIPIENT, RCPT, enhanced=r"5\.1\.0", words=said.REJECTED_ADDRESS),
    Row(Kind.RECIPIENT, AFTER_MAIL, words=said.NO_USER),
    Row(Kind.POLICY, AFTER_MAIL, PARAMETER_ERRORS, words=said.BAD_ADDRESS),
    Row(Kind.RELAY, codes=PARAMETER_ERRORS),
    Row(Kind.POLICY, enhanced=r"5\.7\..*"),
    Row(Kind.CONTENT, ENVELOPE, enhanced=FORMAT_CODES),
    Row(Kind.CONTENT, MAIL, {STORAGE_EXCEEDED}),
    Row(Kind.CONTENT, RCPT, {STORAGE_EXCEEDED}, NO_CODE, said.TOO_LARGE),
    Row(Kind.CONTENT, MAIL, words=said.TOO_LARGE),
    Row(Kind.RELAY, MAIL),
    # Of the content nothing is known before DATA.
    Row(Kind.CONTENT, WITH_CONTENT, enhanced=r"5\..*"),  # 5.6.x and the like
    Row(Kind.CONTENT, WITH_CONTENT, {STORAGE_EXCEEDED, 554}),
    Row(Kind.CONTENT, BODY),
    Row(Kind.POLICY),
)


def kind_of(reply: Reply) -> Kind:
    """Classify one decisive reply."""
    # Most replies are this one, each with words of its own: it reads none, and keeps none in mind.
    is_accepted = reply.stage is Stage.BODY and reply.code in OK
    return Kind.ACCEPTED if is_accepted else kind_of_refusal(reply)


@lru_cache(maxsize=256)
def kind_of_refusal(reply: Reply) -> Kind:
    """Look *reply* up in the table; one refusal is asked about some times, by all who handle it."""
    text = said.strip_addresses(reply.text)
    return next(row.kind for row in TABLE if row.matches(reply, text))


def blames_full_mailbox(code: int | None, enhanced: str | None, text: str) -> bool:
    """Return whether a reply that is for later says that the recipient's mailbox is full."""
    if code is None or re.fullmatch(f"{USER_CODES}|{DOMAIN_CODES}", enhanced or ""):
        return False
    is_named = bool(re.fullmatch(MAILBOX_CODES, enhanced or ""))
    return is_named or bool(said.FULL_MAILBOX.search(said.strip_addresses(text)))


def is_throttling(reply: Reply) -> bool:
    """Tell whether the relay finds us too fast; at RCPT x.7.x is greylisting, of one recipient."""
    if reply.code == SERVICE_CLOSING:
        return True
    return reply.stage is not Stage.RCPT and (reply.enhanced_code or "").startswith("4.7.")
