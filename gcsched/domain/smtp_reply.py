"""Classifies a relay's reply: what it means for the job. Pure tables over codes and phrases.

The stage says little: Postfix refuses our sender at RCPT, and Exchange after the final dot.
"""

import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache

from gcsched.domain import smtp_reply_words as phrases


class Stage(StrEnum):
    """The step of an SMTP conversation."""

    CONNECT = "CONNECT"
    TLS = "TLS"
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    BODY = "BODY"  # from the first octet of the content to the reply to the final dot


class Kind(StrEnum):
    """The outcome of an attempt."""

    ACCEPTED = "ACCEPTED"  #: The relay took the mail.
    DEFERRED = "DEFERRED"  #: A temporary refusal of this mail (4xx): try again later.
    RECIPIENT = "RECIPIENT"  #: A permanent refusal: the address does not exist. It is suppressed.
    CONTENT = "CONTENT"  #: A permanent refusal of what the mail contains.
    POLICY = "POLICY"  #: A permanent refusal by a rule of the relay or of the recipient.
    RELAY = "RELAY"  #: A failure between us and the relay; this mail is not the cause.
    UNCERTAIN = "UNCERTAIN"  #: The body had begun and the reply was lost.


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One SMTP reply: basic code, enhanced code (RFC 3463) if present, and text."""

    stage: Stage
    code: int
    enhanced_code: str | None = None
    text: str = ""

    @classmethod
    def parse(cls, stage: Stage, code: int, text: str) -> "Reply":
        """Split an enhanced code off the start of *text* if it has the class of *code*.

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
    """The relay replied: it took the mail, or refused it at some stage.

    *note* is our remark where the relay took another form of the mail. *is_doubted*: the relay
    refuses every recipient, so the reply says nothing about this one.
    """

    reply: Reply
    note: str = ""
    is_doubted: bool = False

    @property
    def kind(self) -> Kind:
        return Kind.RELAY if self.is_doubted else kind_of(self.reply)


@dataclass(frozen=True, slots=True)
class Broken:
    """The session failed at *stage*; at BODY the relay may have taken the mail."""

    stage: Stage
    reason: str


@dataclass(frozen=True, slots=True)
class Withheld:
    """Nothing was transmitted: the claim was gone, or too little of its lease was left.

    *wait* is how long the mail should wait; None: it may be claimed again at once.
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
PARAMETER_ERRORS = frozenset({501, 504, 555})  # an invalid parameter of a command
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
SENDER_CODES = r"[45]\.1\.[78]|5\.7\.(60|501|511)"
# A filter that defers one mail sends these two as well, so they do not prove a system failure.
UNCLEAR_SYSTEM_CODES = r"4\.3\.[02]"
SYSTEM_CODES = r"(?:[45]\.([2456]\..*|3\.[0-4]))?"  # or none
RESTRICTION_CODES = r"5\.7\.(2|17|18|50[457]|51[03]|12[0-9]|13[346])"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table. An omitted field matches anything; *enhanced* is a pattern."""

    kind: Kind
    stages: Container[Stage] = frozenset(Stage)
    codes: Container[int] = range(1000)
    enhanced: str = ""
    words: re.Pattern[str] | None = None

    def matches(self, reply: Reply, text: str) -> bool:
        """Return whether *reply* matches; *text* is its text without addresses."""
        return (
            reply.stage in self.stages
            and reply.code in self.codes
            and (not self.enhanced or bool(re.fullmatch(self.enhanced, reply.enhanced_code or "")))
            and (self.words is None or bool(self.words.search(text)))
        )


# The first row that matches decides. RFC 5321 section 4.2, RFC 3463, RFC 5248.
TABLE = (
    # A failure between us and the relay; this mail is not the cause.
    Row(Kind.RELAY, OPENING_STAGES),
    Row(Kind.RELAY, codes={SERVICE_CLOSING, NO_MAIL_HERE} | AUTH_CODES | COMMAND_ERRORS),
    # Codes and phrases that name the cause unambiguously.
    Row(Kind.DEFERRED, AFTER_MAIL, words=phrases.BUSY_RECIPIENT),
    Row(Kind.DEFERRED, codes=TRANSIENT, words=phrases.GREYLISTED),
    Row(Kind.CONTENT, codes=PERMANENT, enhanced=SIZE_CODES),
    Row(Kind.POLICY, AFTER_MAIL, PERMANENT, RESTRICTION_CODES),
    # Some relays verify that our sender exists: then "no such user" is the sender, at any code.
    Row(Kind.POLICY, AFTER_MAIL, PERMANENT, words=phrases.RESTRICTED),
    Row(Kind.RELAY, words=phrases.SENDER),
    Row(Kind.RECIPIENT, AFTER_MAIL, PERMANENT, rf"{USER_CODES}|5\.3\.0", phrases.NO_USER),
    Row(Kind.DEFERRED, AFTER_MAIL, enhanced=r"[45]\.3\.[01]", words=phrases.THE_MAILBOX_IS_FULL),
    Row(
        Kind.DEFERRED,
        AFTER_MAIL,
        {*TRANSIENT, STORAGE_EXCEEDED},
        SYSTEM_CODES,
        phrases.RECIPIENTS_SYSTEM,
    ),
    Row(Kind.DEFERRED, BODY, TRANSIENT, SYSTEM_CODES, phrases.FILTERS_SYSTEM),
    Row(Kind.RELAY, enhanced=RELAY_CODES),
    # Phrases about us: our name, its proof, our address, our volume.
    Row(Kind.RELAY, words=phrases.HELO),
    Row(Kind.RELAY, words=phrases.SENDING),
    Row(Kind.RELAY, words=phrases.PROOF),
    Row(Kind.POLICY, BODY, PERMANENT, r"5\.7\..*", phrases.SPAM),
    Row(Kind.CONTENT, BODY, PERMANENT, words=phrases.SPAM),
    Row(Kind.RELAY, words=phrases.CLIENT),
    Row(Kind.RELAY, words=phrases.RELAYING),
    Row(Kind.RELAY, words=phrases.LOGIN),
    Row(Kind.RELAY, words=phrases.ENCRYPTION),
    Row(Kind.DEFERRED, AFTER_MAIL, words=phrases.RECIPIENTS_RATE),
    Row(Kind.DEFERRED, AFTER_MAIL, TRANSIENT, SYSTEM_CODES, phrases.USERS_RATE),
    Row(Kind.DEFERRED, AFTER_MAIL, enhanced=r"4\.2\.[01]", words=phrases.NOT_WHAT_WE_SEND),
    Row(Kind.RELAY, words=phrases.QUOTA),
    Row(Kind.RELAY, words=phrases.PIPELINED),
    Row(Kind.RELAY, codes=PERMANENT, words=phrases.RELAY),
    Row(Kind.RELAY, codes=TRANSIENT, enhanced=UNCLEAR_SYSTEM_CODES, words=phrases.RELAY),
    Row(Kind.RELAY, codes=TRANSIENT, enhanced=NO_CODE, words=phrases.SYSTEM),
    # At MAIL the relay knows only our sender and the size and form of the mail.
    Row(Kind.DEFERRED, MAIL, TRANSIENT, SINGLE_MAIL_CODES),
    Row(Kind.DEFERRED, MAIL, TRANSIENT, NO_CODE, phrases.LARGE_MAIL),
    Row(Kind.RELAY, MAIL, TRANSIENT),
    Row(Kind.RELAY, MAIL, enhanced=r"5\.[17]\..*"),
    # This mail, for now.
    Row(Kind.DEFERRED, AFTER_MAIL, enhanced=MAILBOX_CODES),
    Row(Kind.DEFERRED, AFTER_MAIL, words=phrases.FULL_MAILBOX),
    Row(Kind.DEFERRED, codes=TRANSIENT),
    # This mail, permanently.
    Row(Kind.RECIPIENT, AFTER_MAIL, enhanced=f"{USER_CODES}|{DOMAIN_CODES}"),
    Row(Kind.RECIPIENT, AFTER_MAIL, enhanced=r"5\.4\.1", words=phrases.REJECTED_RECIPIENT),
    Row(Kind.RECIPIENT, RCPT, enhanced=r"5\.1\.0", words=phrases.REJECTED_ADDRESS),
    Row(Kind.RECIPIENT, AFTER_MAIL, words=phrases.NO_USER),
    Row(Kind.POLICY, AFTER_MAIL, PARAMETER_ERRORS, words=phrases.BAD_ADDRESS),
    Row(Kind.RELAY, codes=PARAMETER_ERRORS),
    Row(Kind.POLICY, enhanced=r"5\.7\..*"),
    Row(Kind.CONTENT, ENVELOPE, enhanced=FORMAT_CODES),
    Row(Kind.CONTENT, MAIL, {STORAGE_EXCEEDED}),
    Row(Kind.CONTENT, RCPT, {STORAGE_EXCEEDED}, NO_CODE, phrases.TOO_LARGE),
    Row(Kind.CONTENT, MAIL, words=phrases.TOO_LARGE),
    Row(Kind.RELAY, MAIL),
    # The relay has not seen the content before DATA.
    Row(Kind.CONTENT, WITH_CONTENT, enhanced=r"5\..*"),  # such as 5.6.x
    Row(Kind.CONTENT, WITH_CONTENT, {STORAGE_EXCEEDED, 554}),
    Row(Kind.CONTENT, BODY),
    Row(Kind.POLICY),
)


def kind_of(reply: Reply) -> Kind:
    """Classify one decisive reply."""
    # Most replies are an acceptance with a unique text (a queue id): they must not fill the cache.
    is_accepted = reply.stage is Stage.BODY and reply.code in OK
    return Kind.ACCEPTED if is_accepted else kind_of_refusal(reply)


@lru_cache(maxsize=256)
def kind_of_refusal(reply: Reply) -> Kind:
    """Find *reply* in the table; cached, because each refusal is classified several times."""
    text = phrases.strip_addresses(reply.text)
    return next(row.kind for row in TABLE if row.matches(reply, text))


def blames_full_mailbox(code: int | None, enhanced: str | None, text: str) -> bool:
    """Return whether a deferral says that the recipient's mailbox is full."""
    if code is None or re.fullmatch(f"{USER_CODES}|{DOMAIN_CODES}", enhanced or ""):
        return False
    is_named = bool(re.fullmatch(MAILBOX_CODES, enhanced or ""))
    return is_named or bool(phrases.FULL_MAILBOX.search(phrases.strip_addresses(text)))


def blames_sender(reply: Reply) -> bool:
    """Return whether a refusal names our sender, or its missing proof, as the cause."""
    if re.fullmatch(SENDER_CODES, reply.enhanced_code or ""):
        return True
    text = phrases.strip_addresses(reply.text)
    return bool(phrases.SENDER.search(text) or phrases.PROOF.search(text))


def is_throttling(reply: Reply) -> bool:
    """Return whether the relay throttles us; at RCPT 4.7.x is greylisting of one recipient."""
    if reply.code == SERVICE_CLOSING:
        return True
    return reply.stage is not Stage.RCPT and (reply.enhanced_code or "").startswith("4.7.")
