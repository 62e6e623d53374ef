"""The MIME tree of a mail with a calendar part: an invitation, an update or a cancellation.

Some clients read the calendar part of the alternative, others the attachment, so there are two
copies with the same octets (docs/adr/0050). The attachment has no `method`, so that no client
processes it a second time.
"""

from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP, compat32
from typing import Self

from gcsched.adapters.mail.mime import (
    Bodies,
    Headers,
    Skeleton,
    add_alternatives,
    add_headers,
    placeholder,
)
from gcsched.domain.calendar_file import Method

FILE_NAME = "invite.ics"
OUTER_PREFIX = b"=_mixed"


@dataclass(frozen=True, slots=True)
class CalendarSkeleton(Skeleton):
    """Such a mail in pieces, as Skeleton has them; *has_file* says whether invite.ics is in it.

    mixed (alternative (plain, html, calendar), invite.ics); without the file the alternative alone.
    """

    has_file: bool = True

    @classmethod
    def for_method(cls, sender: bytes, method: Method, *, has_file: bool) -> Self:
        """Build the skeleton for mails from *sender* whose calendar parts have *method*."""
        built = Skeleton.split(build_calendar_prototype(method, has_file=has_file), sender)
        return cls(built.pieces, built.octets_before_date, has_file)

    def fill_calendar(self, headers: Headers, bodies: Bodies, calendar: bytes) -> bytes:
        """Return the octets as `fill` does; *calendar* is both copies, in base64."""
        inner, text, html, _ = bodies
        filled = list(self.pieces)
        body = (inner, *text, inner, *html, inner, calendar, inner)
        if self.has_file:
            outer = derive_outer_boundary(inner)
            filled[1::2] = (*headers, outer, outer, inner, *body, outer, calendar, outer)
        else:
            filled[1::2] = (*headers, inner, *body)
        return b"".join(filled)


def derive_outer_boundary(inner: bytes) -> bytes:
    """Return a boundary that no body can have: it holds *inner*, which is in none of them.

    Neither is the beginning of the other, which would make a line of one a line of both.
    """
    return OUTER_PREFIX + inner


def build_calendar_prototype(method: Method, *, has_file: bool) -> EmailMessage:
    """Build a mail where each varying value is a slot, in the order that fill_calendar uses.

    It has no Auto-Submitted: Google leaves it off such mails too, and whether the mailbox of a room
    stays silent because of it is not known.
    """
    message = EmailMessage(policy=SMTP)
    add_headers(message)
    if has_file:
        alternative = EmailMessage(policy=SMTP)
        add_alternatives(alternative)
        alternative.attach(build_calendar_part(method))
        message.make_mixed(boundary=placeholder("outer"))
        message.attach(alternative)
        message.attach(build_file())
    else:
        add_alternatives(message)
        message.attach(build_calendar_part(method))
    message["MIME-Version"] = "1.0"
    return message


def build_calendar_part(method: Method) -> EmailMessage:
    """Build the part that calendars process: RFC 6047 wants *method* to be the file's METHOD."""
    return build_copy(f'text/calendar; charset="utf-8"; method={method}')


def build_file() -> EmailMessage:
    part = build_copy(f'application/ics; name="{FILE_NAME}"')
    part["Content-Disposition"] = f'attachment; filename="{FILE_NAME}"'
    return part


def build_copy(content_type: str) -> EmailMessage:
    """Build a part with the calendar, in base64 so that no relay can change one of its lines."""
    part = EmailMessage(policy=compat32)  # that of SMTP would put quotes around the method
    part["Content-Type"] = content_type
    part["Content-Transfer-Encoding"] = "base64"
    part.set_payload(placeholder("calendar"))
    return part
