"""Writes the calendar part of an invitation: iCalendar by RFC 5545, 5546 and 6047. Pure.

Single meetings are written in UTC, so no reader needs a time zone (docs/adr/0047). The same values
always give the same octets. No text of a caller can end a line, a parameter or a component,
whatever was checked before.
"""

import re
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

import idna

from gcsched.domain.meeting import MeetingRevision, Person

PRODUCT = "-//gcsched//invitations 1//EN"
LINE_OCTETS = 75  # RFC 5545 section 3.1, without CRLF
FOLD = b"\r\n "
CONTINUATION = range(0x80, 0xC0)  # second and later octets of a UTF-8 character
# Some readers end a line at each of these, though RFC 5545 knows only CRLF.
LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# The controls that RFC 5545 forbids (section 3.1), their sisters above ASCII, and surrogates, which
# UTF-8 does not have.
FORBIDDEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# They would reverse how a calendar shows the address beside a name.
DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
REPLACED = str.maketrans({'"': "'", "\\": "/"})
# Readers that know RFC 6868 take these for a line break, a caret and a quotation mark.
CARET_PAIR = re.compile(r"\^(?=[n^'])")
PLAIN_LOCAL = re.compile(r"[A-Za-z0-9._~+-]+")
LOCAL_SAFE = "!$'()*+,:"  # RFC 6068 section 2, beside letters, digits and _.-~
DOMAIN_SAFE = ":"  # within an address literal
URI_SAFE = "!#$%&'()*+,/:;=?@[]"  # RFC 3986 section 2, likewise
SECONDS = len("2027-01-05T09:00:00")
MAX_LOCATION_LENGTH = 255  # Exchange cuts off the rest ([MS-OXCICAL]), and half a link is useless
INVITED = "CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE"


class Method(StrEnum):
    """What a calendar shall do with the file: METHOD in it, and `method` of its MIME part."""

    REQUEST = "REQUEST"  #: Put the meeting into the calendar, and ask for an answer.
    CANCEL = "CANCEL"  #: Take the meeting out of the calendar.


class Prepared(NamedTuple):
    """A calendar file without its ATTENDEE line: the octets *before* and *after* that line.

    They are the same for all attendees of a revision.
    """

    before: bytes
    after: bytes

    def fill(self, attendee: Person) -> bytes:
        """Return the file for *attendee*."""
        line = f"ATTENDEE;{INVITED}{_cn(attendee.name)}:{format_mailto(attendee.email)}"
        return b"".join((self.before, fold(line), self.after))


def write_request(revision: MeetingRevision, attendee: Person) -> bytes:
    """Return the file that invites *attendee* to the meeting as *revision* has it."""
    return prepare_request(revision).fill(attendee)


def prepare_request(revision: MeetingRevision) -> Prepared:
    """Return what the invitations of all attendees of *revision* have in common."""
    optional = {
        "DESCRIPTION": escape_text(describe(revision)),
        "LOCATION": escape_text(locate(revision)),
        "URL": quote_url(revision.url),
    }
    lines = (
        f"UID:{escape_text(revision.uid)}",
        f"SEQUENCE:{revision.sequence}",
        f"DTSTAMP:{format_instant(revision.stamp)}",
        f"DTSTART:{format_instant(revision.start)}",
        f"DTEND:{format_instant(revision.end)}",
        f"SUMMARY:{escape_text(revision.summary)}",
        *(f"{name}:{value}" for name, value in optional.items() if value),
        format_organizer(revision),
    )
    return Prepared(REQUEST_HEAD + _join(*lines), REQUEST_TAIL)


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
    return f"ORGANIZER{_cn(organizer.name)}{sent_by}:{format_mailto(organizer.email)}"


def format_instant(moment: datetime) -> str:
    return moment.isoformat()[:SECONDS].replace("-", "").replace(":", "") + "Z"


def escape_text(text: str) -> str:
    r"""Return *text* as a TEXT value (section 3.3.11); a line end of any kind becomes ``\n``.

    Spaces around it are left out, because libical trims them while others keep them.
    """
    if not text.isprintable():
        text = FORBIDDEN.sub("", LINE_ENDS.sub("\n", text))
    text = text.strip(" \t").replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return text.replace("\n", "\\n")


def _cn(name: str) -> str:
    """Return *name* as a CN parameter, or "" if nothing of it can be shown.

    A quotation mark becomes an apostrophe: readers that know nothing of RFC 6868 would show ``^'``.
    A backslash becomes a slash: ical.js and icalendar take it for an escape, and before the closing
    quotation mark it would hide the address.
    """
    if not name.isprintable():
        plain = LINE_ENDS.sub(" ", name).replace("\n", " ").replace("\t", " ")
        name = DIRECTIONS.sub("", FORBIDDEN.sub("", plain))
    name = CARET_PAIR.sub("^^", name.strip().translate(REPLACED))
    return f';CN="{name}"' if name else ""


def format_mailto(email: str) -> str:
    """Return the URI of *email* (RFC 6068), its domain as A-labels."""
    local, _, domain = email.rpartition("@")
    if not PLAIN_LOCAL.fullmatch(local):
        local = quote(local, safe=LOCAL_SAFE, errors="replace")
    return f"mailto:{local}@{encode_domain(domain)}"


@lru_cache(maxsize=1_000)
def encode_domain(domain: str) -> str:
    encoded = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    return quote(encoded, safe=DOMAIN_SAFE)


def quote_url(url: str) -> str:
    """Return *url* with all characters percent-encoded that a URI cannot have."""
    return quote(url, safe=URI_SAFE, errors="replace")


def fold(line: str) -> bytes:
    """Return *line* with CRLF, in pieces of at most LINE_OCTETS, never cut inside a character."""
    octets = line.encode()
    if len(octets) <= LINE_OCTETS:
        return octets + b"\r\n"
    pieces, start, end = [], 0, LINE_OCTETS
    while end < len(octets):
        while octets[end] in CONTINUATION:
            end -= 1
        pieces.append(octets[start:end])
        start, end = end, end + LINE_OCTETS - 1  # the space of FOLD counts
    pieces.append(octets[start:])
    return FOLD.join(pieces) + b"\r\n"


def _join(*lines: str) -> bytes:
    return b"".join(map(fold, lines))


REQUEST_HEAD = _join(
    *("BEGIN:VCALENDAR", f"PRODID:{PRODUCT}", "VERSION:2.0", "CALSCALE:GREGORIAN"),
    *(f"METHOD:{Method.REQUEST}", "BEGIN:VEVENT"),
)
REQUEST_TAIL = _join(
    *("STATUS:CONFIRMED", "TRANSP:OPAQUE", "CLASS:PUBLIC"),
    *("END:VEVENT", "END:VCALENDAR"),
)
