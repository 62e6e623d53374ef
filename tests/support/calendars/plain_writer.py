"""A plain second writing of calendar files: character by character, with no shortcut.

It shares nothing with the package but the values that are written.
"""

import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import quote

import idna

from gcsched.domain.meeting import MeetingRevision, Person
from gcsched.domain.meeting_mail import Role
from tests.support.calendars.kinds import Case, Kind

BREAKS = "\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
ROLES = {
    Role.REQUIRED: "REQ-PARTICIPANT",
    Role.OPTIONAL: "OPT-PARTICIPANT",
    Role.INFORMED: "NON-PARTICIPANT",
}
ESCAPED = {"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"}
CLOSING = ["STATUS:CONFIRMED", "TRANSP:OPAQUE", "CLASS:PUBLIC"]
SAFE_IN_LINK, SAFE_IN_LOCAL = "!#$%&'()*+,/:;=?@[]", "!$'()*+,:"
LINE, HEAD = 75, ["BEGIN:VCALENDAR", "PRODID:-//gcsched//invitations 1//EN", "VERSION:2.0"]


def write_plainly(case: Case) -> bytes:
    """Return the octets of the file that *case* describes."""
    lines = [*HEAD, "CALSCALE:GREGORIAN", *list_lines(case), "END:VEVENT", "END:VCALENDAR"]
    return "".join(f"{fold_plainly(each)}\r\n" for each in lines).encode()


def list_lines(case: Case) -> Iterator[str]:
    """Yield what differs from kind to kind, and the line that opens the event."""
    revision, attendee = case.revision, case.attendee
    is_request = case.kind in {Kind.REQUEST, Kind.GUESTS}
    is_page = case.kind in {Kind.PAGE, Kind.CANCELLED_PAGE}
    if not is_page:
        yield f"METHOD:{'REQUEST' if is_request else 'CANCEL'}"
    yield "BEGIN:VEVENT"
    yield from list_event_lines(revision, is_whole=is_request or is_page)
    if not is_page:
        sent_by = f';SENT-BY="{write_uri(revision.sent_by)}"' if revision.sent_by else ""
        yield write_person(f"ORGANIZER{write_cn(revision.organizer)}{sent_by}", revision.organizer)
    if is_request:
        yield write_question(attendee, case.role)
        own = normalise_mailbox(attendee)
        for guest in revision.guests:
            if normalise_mailbox(guest) != own:
                yield write_question(guest, Role.REQUIRED)
    elif not is_page:
        yield write_person(f"ATTENDEE{write_cn(attendee)}", attendee)
    if case.kind in {Kind.CANCEL, Kind.CANCELLED_PAGE}:
        yield "STATUS:CANCELLED"
    elif case.kind is not Kind.REMOVAL:
        yield from CLOSING


def list_event_lines(revision: MeetingRevision, *, is_whole: bool) -> Iterator[str]:
    yield f"UID:{escape_plainly(revision.uid)}"
    yield f"SEQUENCE:{revision.sequence}"
    times = {"DTSTAMP": revision.stamp, "DTSTART": revision.start, "DTEND": revision.end}
    for name, time in times.items():
        digits = "".join(each for each in time.isoformat().partition("+")[0] if each not in "-:")
        yield f"{name}:{digits}Z"
    yield f"SUMMARY:{escape_plainly(revision.summary)}"
    if is_whole:
        both = revision.url and revision.description
        about = revision.url + ("\n\n" if both else "") + revision.description
        is_link_only = not revision.location.strip() and len(revision.url) <= 255
        texts = {"DESCRIPTION": about, "LOCATION": revision.location}
        if is_link_only:
            texts["LOCATION"] = revision.url
        yield from (
            f"{name}:{text}" for name, each in texts.items() if (text := escape_plainly(each))
        )
        if revision.url:
            yield f"URL:{quote(revision.url, safe=SAFE_IN_LINK, errors='replace')}"


def escape_plainly(text: str) -> str:
    joined = "".join(
        "" if each == "\n" and before == "\r" else "\n" if each in BREAKS else each
        for before, each in pairwise(f" {text}")
        if each in f"{BREAKS}\t" or unicodedata.category(each) not in {"Cc", "Cs"}
    )
    return "".join(ESCAPED.get(each, each) for each in joined.strip(" \t"))


def write_cn(person: Person) -> str:
    shown = "".join(
        " " if each in f"{BREAKS}\t" else each
        for before, each in pairwise(f" {person.name}")
        if not (each == "\n" and before == "\r") and not is_left_out(each)
    ).strip()
    changed = shown.replace('"', "'").replace("\\", "/")
    doubled = "".join(
        "^^" if each == "^" and after in {"n", "^", "'"} else each
        for each, after in pairwise(f"{changed} ")
    )
    return f';CN="{doubled}"' if doubled else ""


def is_left_out(character: str) -> bool:
    """Return whether *character* is a control that ends no line, a surrogate, or a direction."""
    if unicodedata.bidirectional(character) in {"LRE", "RLE", "PDF", "LRO", "RLO"}:
        return True
    if unicodedata.bidirectional(character) in {"LRI", "RLI", "FSI", "PDI"}:
        return True
    return character not in f"{BREAKS}\t" and unicodedata.category(character) in {"Cc", "Cs"}


def write_question(person: Person, role: Role) -> str:
    question = f"CUTYPE=INDIVIDUAL;ROLE={ROLES[role]};PARTSTAT=NEEDS-ACTION;RSVP=TRUE"
    return write_person(f"ATTENDEE;{question}{write_cn(person)}", person)


def write_person(line: str, person: Person) -> str:
    return f"{line}:{write_uri(person.email)}"


def write_uri(email: str) -> str:
    local, _, domain = email.rpartition("@")
    return f"mailto:{quote(local, safe=SAFE_IN_LOCAL, errors='replace')}@{write_domain(domain)}"


def write_domain(domain: str) -> str:
    labels = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    return quote(labels, safe=":")


def normalise_mailbox(person: Person) -> str:
    """Return what is equal for two spellings of one address."""
    local, _, domain = person.email.rpartition("@")
    if local.isascii():
        return f"{local.lower()}@{write_domain(domain).lower()}"
    folded = unicodedata.normalize("NFD", local).casefold()
    return f"{unicodedata.normalize('NFC', folded)}@{write_domain(domain).lower()}"


def fold_plainly(line: str) -> str:
    """Return *line* with a line end and a space before each character that has no room."""
    folded, used = "", 0
    for character in line:
        octets = len(character.encode())
        if used + octets > LINE:
            folded, used = f"{folded}\r\n ", 1
        folded, used = folded + character, used + octets
    return folded
