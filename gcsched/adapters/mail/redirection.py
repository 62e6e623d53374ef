"""Compose mails that all go to one address, and show to whom each would have gone."""

from contextlib import suppress
from dataclasses import dataclass, replace
from html import escape
from html.parser import HTMLParser

from msgspec import structs

from gcsched.adapters.mail.composer import Composer
from gcsched.adapters.mail.header_encoding import (
    clean_display_name,
    encode_domain,
    encode_unstructured,
)
from gcsched.adapters.mail.mime import Bodies
from gcsched.adapters.mail.templates import RenderedParts
from gcsched.domain.calendar_file import Method, write_file
from gcsched.domain.job import Job
from gcsched.domain.mail import Mail
from gcsched.domain.meeting import Person
from gcsched.domain.meeting_mail import MeetingMail

ORIGINAL_TO = "X-Original-To"
TITLE = "Redirected mail. Its recipient is:"
WHY = "GCSCHED_REDIRECT_TO sends it here instead: the recipient did not get it."
BAND_STYLE = (
    "margin:0 0 16px;padding:12px 16px;border:2px solid #b45309;background:#fef3c7;color:#451a03;"
    "font:14px/1.5 Arial,sans-serif;text-align:left"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectingComposer(Composer):
    """Composes each mail for *redirect_to*, an address in ASCII, instead of its recipient.

    The templates still show the recipient. The envelope and To have *redirect_to*, To with the
    recipient's name; X-Original-To and a band above the mail have the recipient's address. Each
    mail is rendered by itself: the band differs in every mail.

    The calendar part is for *redirect_to* alone, and the sender is its organizer: an answer from
    there, given by a person or by the mailbox itself, is neither one of the recipient nor mailed to
    an organizer or a guest who may be a real person (docs/adr/0050).
    """

    redirect_to: str

    def _fill_bodies(self, _: Job) -> Bodies | None:
        return None

    def render(self, job: Job) -> RenderedParts:
        # Not super(): it does not work in a dataclass with slots (Python 3.11).
        rendered = Composer.render(self, job)
        return RenderedParts(
            html=insert_band(rendered.html, describe_recipient(job)),
            text=f"{TITLE} {describe_recipient(job)}\n{WHY}\n\n{rendered.text}",
        )

    def write_calendar(self, _: Job, mail: MeetingMail, method: Method) -> bytes:
        organizer = Person(self.sender_email, self.sender_name.strip())
        staged = structs.replace(mail.revision, organizer=organizer, sent_by="", guests=())
        return write_file(method, structs.replace(mail, revision=staged), Person(self.redirect_to))

    def build_mail(self, job: Job, bodies: Bodies) -> Mail:
        redirected = structs.replace(job, email=self.redirect_to)
        mail = add_original(Composer.build_mail(self, redirected, bodies), job)
        if mail.ascii_fallback is None:
            return mail
        return replace(mail, ascii_fallback=add_original(mail.ascii_fallback, job))


def add_original(mail: Mail, job: Job) -> Mail:
    """Return *mail* with the recipient of *job* above its other headers."""
    header = f"{ORIGINAL_TO}: ".encode() + encode_original(job.email) + b"\r\n"
    offset = None if mail.date_offset is None else mail.date_offset + len(header)
    # A relay may repeat words of the job: they are masked as in a mail to its recipient.
    return replace(mail, content=header + mail.content, date_offset=offset, personal_texts=job)


def encode_original(address: str) -> bytes:
    """Encode *address* in ASCII as the envelope would have had it.

    Its domain has A-labels. If its local part is not ASCII, the whole address is written as encoded
    words (RFC 2047), as is one that a line cannot show as it is. Decoded, they are the address.
    """
    return encode_unstructured(ORIGINAL_TO, encode_domain(address))


def describe_recipient(job: Job) -> str:
    name = clean_display_name(job.name)
    return f"{name} <{job.email}>" if name else job.email


def insert_band(html: str, recipient: str) -> str:
    """Return *html* with a band that names *recipient* as the first element of its body."""
    band = (
        f'<div style="{BAND_STYLE}"><strong>{TITLE}</strong> {escape(recipient)}<br>\n{WHY}</div>\n'
    )
    place = find_body_start(html)
    return f"{html[:place]}{band}{html[place:]}"


def find_body_start(html: str) -> int:
    """Return the offset of the first content of the body, whose tags may be omitted."""
    finder = BodyFinder()
    with suppress(AssertionError):  # of the parser at a marked section such as `<![x[`
        finder.feed(html)
    if finder.tag is None:
        return 0
    line, column, text = finder.tag
    start = sum(len(each) + 1 for each in html.split("\n")[: line - 1]) + column
    return html.find(">", start + len(text)) + 1


class BodyFinder(HTMLParser):
    """Finds the tag after which the body begins; a comment or an attribute is not a tag.

    *tag* is its line, its column, and its text without the last character: that of `<body>`, else
    of `</head>`, of `<html>`, or of the document type.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tag: tuple[int, int, str] | None = None
        self._has_body = False

    def handle_starttag(self, tag: str, _: object) -> None:
        if tag in {"html", "body"}:
            self._record((self.get_starttag_text() or ">")[:-1])
            self._has_body = self._has_body or tag == "body"

    def handle_endtag(self, tag: str) -> None:
        if tag == "head":
            self._record(f"</{tag}")

    def handle_decl(self, decl: str) -> None:
        self._record(f"<!{decl}")

    def _record(self, text: str) -> None:
        if not self._has_body:
            self.tag = (*self.getpos(), text)
