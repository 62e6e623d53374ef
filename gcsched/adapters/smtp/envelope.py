"""The envelope of a mail, and the commands for a relay's capabilities. Pure: no I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gcsched.adapters.mail.header_encoding import DATE_OCTETS, format_date
from gcsched.domain.mail import Mail
from gcsched.domain.smtp_reply import Reply, Stage
from gcsched.errors import MalformedMail

# All that could end the address or the line early, and so smuggle in a command or a parameter.
FORBIDDEN = re.compile(rb"[\x00-\x20\x7f<>]")
# RFC 5321 section 4.1.2 and RFC 6531: in a quoted local part, a space, < and > are allowed.
QUOTED = re.compile(rb'"(?:[^\x00-\x1f\x7f"\\]|\\[\x20-\x7e])+"@')

NO_SMTPUTF8 = {"5.6.7", "5.6.9"}  # RFC 6531 section 3.5
SIZE = re.compile(r"[0-9]{1,20}")  # RFC 1870 section 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedMail:
    """A mail that was checked and is safe to write into a conversation.

    *ascii_fallback* is the form without SMTPUTF8, and *left_out* what that form lacks.
    """

    sender: bytes
    recipient: bytes
    content: bytes
    smtputf8: bool
    eight_bit: bool
    ascii_fallback: "EncodedMail | None" = None
    left_out: str = ""
    date_offset: int | None = None
    is_canonical: bool = False

    @classmethod
    def encode(cls, mail: Mail) -> "EncodedMail":
        """Check and encode *mail*. Raises MalformedMail for a mistake of its composer."""
        encoding = "utf-8" if mail.smtputf8 else "ascii"
        return cls(
            sender=encode_address(mail.sender, encoding),
            recipient=encode_address(mail.recipient, encoding) or raise_no_recipient(),
            content=mail.content if mail.is_canonical else ensure_final_crlf(mail.content),
            smtputf8=mail.smtputf8,
            eight_bit=not mail.content.isascii(),
            ascii_fallback=None if mail.ascii_fallback is None else cls.encode(mail.ascii_fallback),
            left_out=mail.left_out,
            date_offset=mail.date_offset,
            is_canonical=mail.is_canonical,
        )

    @property
    def left_out_note(self) -> str:
        """Return the note for the job's history on what is missing."""
        return f"sent without {self.left_out}, which needs SMTPUTF8"

    def without_smtputf8(self, reply: Reply) -> "EncodedMail | None":
        """Return the ASCII form, if there is one and *reply* refuses this form for SMTPUTF8.

        A relay that offers SMTPUTF8 may know that the next relay does not.
        """
        return self.ascii_fallback if reply.enhanced_code in NO_SMTPUTF8 else None

    def dot_stuff(self, date: datetime) -> bytes:
        """Return the content as DATA needs it: with *date*, dots doubled, and the final dot.

        RFC 5321 section 4.5.2. The date replaces as many octets, so that SIZE stays right.
        """
        pieces = [self.content]
        if (at := self.date_offset) is not None:
            pieces = [self.content[:at], format_date(date), self.content[at + DATE_OCTETS :]]
        if self.is_canonical:
            return b"".join((*pieces, b".\r\n"))
        if b"\r\n." in self.content:  # not across pieces: no dot is next to a date
            pieces = [piece.replace(b"\r\n.", b"\r\n..") for piece in pieces]
        first = b"." if self.content.startswith(b".") else b""
        return b"".join((first, *pieces, b".\r\n"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The extensions that the relay offered in its reply to EHLO."""

    pipelining: bool = False
    eight_bit: bool = False
    smtputf8: bool = False
    size: int | None = None  # None: SIZE is not offered; 0: no limit

    @classmethod
    def parse(cls, extensions: Mapping[str, str]) -> "Capabilities":
        """Parse aiosmtplib's table of extensions; its keys are in lower case."""
        size = extensions.get("size")
        return cls(
            pipelining="pipelining" in extensions,
            eight_bit="8bitmime" in extensions,
            smtputf8="smtputf8" in extensions,
            size=None if size is None else int(size) if SIZE.fullmatch(size) else 0,
        )

    def select_form(self, mail: EncodedMail) -> EncodedMail:
        """Return *mail*, or its ASCII form if only that can be sent (RFC 6531 section 3.1)."""
        if mail.ascii_fallback is not None and not (self.smtputf8 and self.eight_bit):
            return mail.ascii_fallback
        return mail

    def find_refusal(self, mail: EncodedMail) -> Reply | None:
        """Return the refusal of a mail that needs more than the relay offers; None: it does not."""
        if mail.smtputf8 and not self.smtputf8:
            address = mail.recipient.decode()
            text = f"the relay does not offer SMTPUTF8, which the address {address} needs"
            return Reply(stage=Stage.MAIL, code=553, enhanced_code="5.6.7", text=text)
        if mail.eight_bit and not self.eight_bit:
            text = "the relay does not offer 8BITMIME, which this content needs"
            return Reply(stage=Stage.MAIL, code=554, enhanced_code="5.6.3", text=text)
        if self.size and len(mail.content) > self.size:
            text = f"{len(mail.content)} octets, the relay takes {self.size}"
            return Reply(stage=Stage.MAIL, code=552, enhanced_code="5.3.4", text=text)
        return None

    def envelope_commands(self, mail: EncodedMail) -> tuple[bytes, bytes, bytes]:
        """Return MAIL, RCPT and DATA for *mail*."""
        size = b"" if self.size is None else b" SIZE=%d" % len(mail.content)
        body = b" BODY=8BITMIME" if mail.eight_bit else b""
        utf8 = b" SMTPUTF8" if mail.smtputf8 else b""
        return (
            b"MAIL FROM:<%b>%b%b%b\r\n" % (mail.sender, size, body, utf8),
            b"RCPT TO:<%b>\r\n" % mail.recipient,
            b"DATA\r\n",
        )


def encode_address(address: str, encoding: str) -> bytes:
    try:
        octets = address.encode(encoding)
    except UnicodeEncodeError as error:
        raise MalformedMail(f"an envelope address cannot be written in {encoding}") from error
    quoted = QUOTED.match(octets)
    if FORBIDDEN.search(octets, quoted.end() if quoted else 0):
        raise MalformedMail("an envelope address contains a character that SMTP forbids there")
    return octets


def raise_no_recipient() -> bytes:
    raise MalformedMail("the envelope names no recipient")


def ensure_final_crlf(content: bytes) -> bytes:
    """Return *content* with CRLF at its end. Raises MalformedMail for a lone CR or LF.

    A relay that takes a lone one for a line end could find the final dot in the middle of a mail.
    """
    ends = content.count(b"\r\n")
    if content.count(b"\n") != ends or content.count(b"\r") != ends:
        raise MalformedMail("the content contains a CR or LF that is not part of a CRLF")
    return content if content.endswith(b"\r\n") else content + b"\r\n"
