"""One composed mail: the envelope for the relay and the content it carries."""

from dataclasses import dataclass, field

from gcsched.domain.masking import PersonalTexts


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A message ready for one SMTP transaction.

    ``content`` is a complete RFC 5322 message: CRLF line ends, lines of at most 998 octets, *not*
    dot-stuffed. ``sender`` and ``recipient`` are the envelope addresses, domains in ASCII;
    ``smtputf8`` is true when an address has a local part that is not ASCII (RFC 6531). ``ascii_fallback`` is
    the same mail for where that is not possible, if its recipient needs none of it; in that one
    ``left_out`` names the header and the address that it lacks.
    ``date_offset`` is where in ``content`` the value of its Date header begins: whoever writes the body
    puts the date in, as many octets as are there. None: the content stays as it is.
    ``personal_texts`` is what was composed: what a relay says of this mail is logged without its words.
    """

    sender: str
    recipient: str
    content: bytes
    smtputf8: bool = False
    ascii_fallback: "Mail | None" = None
    left_out: str = ""
    date_offset: int | None = None
    personal_texts: PersonalTexts | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailPreview:
    """What a mail would look like; *size* is in octets on the wire, before dot-stuffing."""

    subject: str
    text: str
    html: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateInfo:
    """A template: the variables it *required_variables*, and whether it has a text part of its own."""

    name: str
    required_variables: tuple[str, ...]
    has_text: bool
