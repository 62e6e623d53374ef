"""The mail of a job as its page shows it: made now, as it would leave. Nothing is fetched."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser
from email.utils import format_datetime

from gcsched.domain.job import Job
from gcsched.domain.mail import Mail, MailPreview
from gcsched.domain.mail_date import choose_date
from gcsched.errors import TemplateProblem
from gcsched.web.console.services import MailMaker

NOT_LEFT = "(set when it leaves)"
FORGOTTEN = "its recipient was forgotten, so no address is left"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMail:
    """The parts of a mail, or the *problem* because of which it cannot be made."""

    html: str = ""
    text: str = ""
    calendar: str = ""
    source: str = ""
    headers: Sequence[tuple[str, str]] = field(default=())
    problem: str = ""


def make_mail(maker: MailMaker, job: Job) -> ShownMail:
    """Return the mail of *job*."""
    if job.is_erased:
        return ShownMail(problem=FORGOTTEN)
    try:
        draft, mail = maker.draft(job), maker.compose(job)
    except (TemplateProblem, ValueError, KeyError) as error:
        return ShownMail(problem=str(error))
    return show_parts(draft, insert_date(mail, job))


def show_parts(draft: MailPreview, source: bytes) -> ShownMail:
    return ShownMail(
        html=draft.html,
        text=draft.text,
        calendar=draft.calendar,
        source=source.decode("utf-8", "replace"),
        headers=tuple(read_headers(source)),
    )


def insert_date(mail: Mail, job: Job) -> bytes:
    """Return the octets of *mail* with the date that its next body must have."""
    if mail.date_offset is None:
        return mail.content
    date = choose_date(job)
    shown = NOT_LEFT if date is None else format_datetime(date)
    _, end, rest = mail.content[mail.date_offset :].partition(b"\r\n")
    return mail.content[: mail.date_offset] + shown.encode() + end + rest


def read_headers(source: bytes) -> list[tuple[str, str]]:
    """Return the headers as people read them."""
    parsed = BytesHeaderParser().parsebytes(source)
    return [(name, decode_value(str(value))) for name, value in parsed.items()]


def decode_value(value: str) -> str:
    line = " ".join(value.split())
    try:
        return str(make_header(decode_header(line)))
    except (HeaderParseError, LookupError, ValueError):
        return line
