"""Writes the calendar part of a mail about a meeting: iCalendar by RFC 5545, 5546 and 6047. Pure.

Single meetings are written in UTC, so no reader needs a time zone (docs/adr/0047). The same values
always give the same octets.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from gcsched.domain.address_folding import fold_address
from gcsched.domain.calendar_lines import (
    encode_domain,
    escape_text,
    fold,
    format_cn,
    format_instant,
    format_mailto,
    join_lines,
    quote_url,
)
from gcsched.domain.meeting import MeetingRevision, Person
from gcsched.domain.meeting_mail import MeetingMail, Purpose, Role

PRODUCT = "-//gcsched//invitations 1//EN"
MAX_LOCATION_LENGTH = 255  # Exchange cuts off the rest ([MS-OXCICAL]), and half a link is useless
ROLES: Mapping[Role, str] = {
    Role.REQUIRED: "REQ-PARTICIPANT",
    Role.OPTIONAL: "OPT-PARTICIPANT",
    Role.INFORMED: "NON-PARTICIPANT",
}
# All are asked, those who are only informed too: without RSVP some programs show no buttons at all.
QUESTIONS: Mapping[Role, str] = {
    role: f"CUTYPE=INDIVIDUAL;ROLE={name};PARTSTAT=NEEDS-ACTION;RSVP=TRUE"
    for role, name in ROLES.items()
}
INVITED = QUESTIONS[Role.REQUIRED]


class Method(StrEnum):
    """What a calendar shall do with the file: METHOD in it, and `method` of its MIME part."""

    REQUEST = "REQUEST"  #: Put the meeting into the calendar, and ask for an answer.
    CANCEL = "CANCEL"  #: Take the meeting out of the calendar.


METHODS: Mapping[Purpose, Method] = {
    Purpose.INVITATION: Method.REQUEST,
    Purpose.UPDATE: Method.REQUEST,
    Purpose.CANCELLATION: Method.CANCEL,
}
"""What calendars shall do by mails of each purpose; one that is missing has no calendar part."""


class Prepared(NamedTuple):
    """A REQUEST without its ATTENDEE lines: the octets *before* and *after* these lines.

    They are the same for all attendees of a revision, and so are its *guests*.
    """

    before: bytes
    after: bytes
    guests: tuple[Person, ...] = ()

    def fill(self, attendee: Person, role: Role = Role.REQUIRED) -> bytes:
        """Return the file for *attendee*, who is the first in it."""
        question = INVITED if role is Role.REQUIRED else QUESTIONS[role]
        line = f"ATTENDEE;{question}{format_cn(attendee.name)}:{format_mailto(attendee.email)}"
        if self.guests:
            others = write_others(self.guests, attendee)
            return b"".join((self.before, fold(line), *others, self.after))
        return b"".join((self.before, fold(line), self.after))


def write_file(method: Method, mail: MeetingMail, attendee: Person) -> bytes:
    """Return the file with *method* that *mail* has for *attendee*."""
    if method is Method.CANCEL:
        return write_cancel(mail.revision, attendee, is_removal=mail.is_removal)
    return write_request(mail.revision, attendee, mail.role)


def write_request(revision: MeetingRevision, attendee: Person, role: Role = Role.REQUIRED) -> bytes:
    """Return the file that invites *attendee* to the meeting as *revision* has it.

    It names the other guests of *revision* too.
    """
    return prepare_request(revision).fill(attendee, role)


def prepare_request(revision: MeetingRevision) -> Prepared:
    """Return what the invitations of all attendees of *revision* have in common."""
    event = join_lines(*list_event(revision), format_organizer(revision))
    return Prepared(REQUEST_HEAD + event, REQUEST_TAIL, revision.guests)


def write_cancel(revision: MeetingRevision, attendee: Person, *, is_removal: bool) -> bytes:
    """Return the file that takes the meeting out of the calendar of *attendee*.

    STATUS would mean that the meeting is off for all attendees, so a removal has none. The file
    names only *attendee*, and nothing that a calendar does not need to find and show the meeting.
    """
    event = join_lines(
        *list_identity(revision),
        format_organizer(revision),
        f"ATTENDEE{format_cn(attendee.name)}:{format_mailto(attendee.email)}",
    )
    return b"".join((CANCEL_HEAD, event, b"" if is_removal else CANCELLED, TAIL))


def write_public_file(revision: MeetingRevision, *, is_cancelled: bool) -> bytes:
    """Return a file without METHOD and people, which a web page may offer.

    Its UID is that of the invitations, so a calendar that has one does not get a second meeting.
    Without attendees there must be no ORGANIZER (RFC 5545 section 3.8.4.3).
    """
    event = join_lines(*list_event(revision))
    return b"".join((PUBLIC_HEAD, event, CANCELLED + TAIL if is_cancelled else REQUEST_TAIL))


def list_identity(revision: MeetingRevision) -> tuple[str, ...]:
    """Return the lines by which a calendar finds the meeting, and a person recognises it."""
    return (
        f"UID:{escape_text(revision.uid)}",
        f"SEQUENCE:{revision.sequence}",
        f"DTSTAMP:{format_instant(revision.stamp)}",
        f"DTSTART:{format_instant(revision.start)}",
        f"DTEND:{format_instant(revision.end)}",
        f"SUMMARY:{escape_text(revision.summary)}",
    )


def list_event(revision: MeetingRevision) -> tuple[str, ...]:
    """Return all lines of the meeting but those of people."""
    optional = (
        ("DESCRIPTION", escape_text(describe(revision))),
        ("LOCATION", escape_text(locate(revision))),
        ("URL", quote_url(revision.url) if revision.url else ""),
    )
    return (*list_identity(revision), *[f"{name}:{value}" for name, value in optional if value])


def describe(revision: MeetingRevision) -> str:
    """Return the link and the description below it: few calendars show URL."""
    return "\n\n".join(filter(None, (revision.url, revision.description)))


def locate(revision: MeetingRevision) -> str:
    """Return the place, or the link where no place is known: few calendars show URL."""
    if revision.location.strip() or len(revision.url) > MAX_LOCATION_LENGTH:
        return revision.location
    return revision.url


def format_organizer(revision: MeetingRevision) -> str:
    """Return the ORGANIZER line. SENT-BY is in quotes: without them Gmail knows no organizer."""
    sent_by = f';SENT-BY="{format_mailto(revision.sent_by)}"' if revision.sent_by else ""
    organizer = revision.organizer
    return f"ORGANIZER{format_cn(organizer.name)}{sent_by}:{format_mailto(organizer.email)}"


def write_others(guests: tuple[Person, ...], attendee: Person) -> Iterator[bytes]:
    """Yield the lines of *guests* without *attendee*, in their order."""
    own = write_guest(attendee).mailbox
    return (each.line for each in map(write_guest, guests) if each.mailbox != own)


class Guest(NamedTuple):
    """The *line* of a guest, and the *mailbox* by which two spellings of an address are equal."""

    mailbox: str
    line: bytes


@lru_cache(maxsize=1_000)
def write_guest(guest: Person) -> Guest:
    """Return the line of *guest* for the others, who need not know how much that guest is needed.

    Kept, because the mail of each attendee has the lines of all the others.
    """
    local, _, domain = guest.email.rpartition("@")
    mailbox = fold_address(f"{local}@{encode_domain(domain)}")
    line = f"ATTENDEE;{INVITED}{format_cn(guest.name)}:{format_mailto(guest.email)}"
    return Guest(mailbox, fold(line))


def begin_file(*method: str) -> bytes:
    head = ("BEGIN:VCALENDAR", f"PRODID:{PRODUCT}", "VERSION:2.0", "CALSCALE:GREGORIAN")
    return join_lines(*head, *method, "BEGIN:VEVENT")


REQUEST_HEAD = begin_file(f"METHOD:{Method.REQUEST}")
CANCEL_HEAD = begin_file(f"METHOD:{Method.CANCEL}")
PUBLIC_HEAD = begin_file()
CANCELLED = join_lines("STATUS:CANCELLED")
TAIL = join_lines("END:VEVENT", "END:VCALENDAR")
REQUEST_TAIL = join_lines("STATUS:CONFIRMED", "TRANSP:OPAQUE", "CLASS:PUBLIC") + TAIL
