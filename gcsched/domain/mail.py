"""One composed mail: the envelope for the relay and the content it carries."""

from dataclasses import dataclass, field

from gcsched.domain.masking import PersonalTexts


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A message ready for one SMTP transaction.

    ``content`` is a complete RFC 5322 message: CRLF line ends, lines of at most 998 octets, *not*
    dot-stuffed. ``sender`` and ``recipient`` are the envelope addresses, with their domains in
    ASCII; ``smtputf8`` is true if a local part is not ASCII (RFC 6531). ``ascii_fallback`` is the
    same mail for a relay without SMTPUTF8, if the recipient's address does not need it; there
    ``left_out`` names the header and the address that were dropped.
    ``date_offset`` is the index in ``content`` of the value of the Date header: the transport
    replaces it, in as many octets, when it writes the body. None: the content stays as it is.
    ``is_canonical`` says that all line ends are CRLF, the last one too, and that no line begins
    with a dot: nothing has to be checked or stuffed. False: that is not known.
    ``personal_texts`` are the texts of the mail: they are masked in logs of the relay's replies.
    """

    sender: str
    recipient: str
    content: bytes
    smtputf8: bool = False
    ascii_fallback: "Mail | None" = None
    left_out: str = ""
    date_offset: int | None = None
    personal_texts: PersonalTexts | None = field(default=None, compare=False, repr=False)
    is_canonical: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailPreview:
    """A rendered mail that is not sent; *size* is in octets on the wire, before dot-stuffing.

    *sender* is the From header as people read it, *calendar* the calendar file of an invitation,
    "" for another mail.
    """

    subject: str
    text: str
    html: str
    size: int
    sender: str = ""
    calendar: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateInfo:
    """A template, the variables it requires, and whether it has a text part of its own.

    *digest* is that of all files that a mail of it is made of.
    """

    name: str
    required_variables: tuple[str, ...]
    has_text: bool
    digest: str = ""
