"""The forms about a meeting, and the changes that they ask for. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from gcsched.domain.checks import Checked, require_valid
from gcsched.domain.event import Event
from gcsched.domain.meeting_mail import Role
from gcsched.domain.meetings.drafts import AttendeeDraft, MeetingDraft
from gcsched.domain.meetings.keys import etag_of_meeting
from gcsched.domain.meetings.meeting import Meeting
from gcsched.domain.meetings.requested_changes import (
    RequestedAttendees,
    RequestedCancellation,
    RequestedChange,
    RequestedRemoval,
    RequestedUpdate,
)
from gcsched.domain.meetings.requests import validate_reason, validate_removal
from gcsched.errors import EtagMismatch, InvalidRequest, Violation

Fields = Mapping[str, str]
FIELDS: Mapping[str, Sequence[str]] = {
    "move": ("start", "minutes", "end", "zone"),
    "edit": ("summary", "location", "url", "description"),
    "cancel": ("reason",),
    "add": ("people", "role", "tell_others"),
    "remove": ("attendee", "reason"),
}
"""The fields of the form of each act."""
NAMED = re.compile(r'"?([^"<]*?)"?\s*<([^<>]+)>')
PLACE = re.compile(r"(?:attendees|emails)\[(\d+)\]")
FORM_NAMES = {"time_zone": "zone", "duration": "minutes", "attendees": "people"}
"""The fields of forms that the contract names otherwise."""
MINUTE = timedelta(minutes=1)


def parse_change(act: str, fields: Fields, meeting: Meeting, *, is_full: bool) -> RequestedChange:
    """Return the change of *meeting* that the form of *act* asks for.

    Raises InvalidRequest, with the fields of the form, and EtagMismatch.
    """
    match act:
        case "move":
            return require_valid(parse_move(fields, meeting))
        case "edit":
            return parse_edit(fields, meeting, is_full=is_full)
        case "cancel":
            return RequestedCancellation(reason=validate_reason(fields.get("reason", "").strip()))
        case "add":
            drafts = list(parse_people(fields))
            tells = fields.get("tell_others") == "on"
            return RequestedAttendees(attendees=drafts, tell_others=tells)
        case _:
            return parse_removal(fields, meeting)


def parse_move(fields: Fields, meeting: Meeting) -> Checked[RequestedUpdate]:
    """Parse new times: what is as it was is not among the fields to change."""
    latest, mask = meeting.revision, list[str]()
    start, end = fields.get("start", "").strip(), fields.get("end", "").strip()
    zone = fields.get("zone", "").strip()
    if parse_wall(start) != latest.start_wall:
        mask.append("start")
    if zone != latest.zone:
        mask.append("time_zone")
    duration = None
    if end:
        mask.append("end")
    else:
        duration = yield from parse_minutes(fields.get("minutes", ""))
        if duration is not None and duration != latest.end - latest.start:
            mask.append("duration")
    event = Event(start=start, time_zone=zone, end=end, duration=duration)
    return RequestedUpdate(draft=MeetingDraft(event=event), mask=tuple(mask))


def parse_wall(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def parse_minutes(text: str) -> Checked[timedelta | None]:
    """Parse the minutes of a length; "" is the present one."""
    if not text.strip():
        return None
    try:
        return float(text) * MINUTE
    except (ValueError, OverflowError):
        yield Violation("minutes", "must be a number, such as 45")
        return None


def parse_edit(fields: Fields, meeting: Meeting, *, is_full: bool) -> RequestedUpdate:
    """Parse new texts. Unless *is_full* an empty one means the present one, which was hidden."""
    latest = meeting.revision
    texts = {n: fields.get(n, "").replace("\r\n", "\n").strip() for n in FIELDS["edit"]}
    mask = [
        name
        for name, text in texts.items()
        if (text or is_full) and text != getattr(latest, name).replace("\r\n", "\n").strip()
    ]
    event = Event(
        start="",
        time_zone="",
        location=texts["location"],
        url=texts["url"],
        description=texts["description"],
    )
    draft = MeetingDraft(summary=texts["summary"], event=event)
    return RequestedUpdate(draft=draft, mask=tuple(mask))


def parse_people(fields: Fields) -> Iterator[AttendeeDraft]:
    """Yield the attendees of a text with one on each line: an address, or `Ada <ada@…>`."""
    given = fields.get("role", "")
    role = Role(given) if given in set(Role) else None
    for line in filter(None, map(str.strip, fields.get("people", "").splitlines())):
        found = NAMED.fullmatch(line)
        name, email = found.groups() if found else ("", line)
        yield AttendeeDraft(email=email.strip(), name=name.strip(), role=role)


def parse_removal(fields: Fields, meeting: Meeting) -> RequestedRemoval:
    """Parse who shall be removed: by numbers, so that no address is in the form.

    The numbers mean something only in the meeting that the form showed.
    """
    if fields.get("etag") != etag_of_meeting(meeting):
        raise EtagMismatch(meeting.id, kind="meeting")
    known = {str(n): each.email for n, each in enumerate(meeting.attendees)}
    chosen = filter(None, (known.get(n, "") for n in fields.get("attendee", "").split(",")))
    emails, reason = list(chosen), fields.get("reason", "").strip()
    if not emails:
        raise InvalidRequest([Violation("attendee", "choose at least one attendee")])
    return RequestedRemoval(emails=validate_removal(emails, reason), reason=reason)


def name_problems(act: str, error: InvalidRequest) -> dict[str, str]:
    """Return the problems by the fields of the form of *act*; "" for those of no field."""
    problems = dict[str, str]()
    for each in error.violations:
        name, problem = name_field(act, each)
        problems[name] = f"{problems[name]}; {problem}" if name in problems else problem
    return problems


def name_field(act: str, violation: Violation) -> tuple[str, str]:
    """Return the field of the form of *act* for *violation*, and the problem."""
    name = violation.field.removeprefix("meeting.")
    if place := PLACE.match(name):
        own = "people" if act == "add" else "attendee"
        return own, f"line {int(place[1]) + 1}: {violation.problem}"
    name = FORM_NAMES.get(name, name)
    if name in FIELDS[act]:
        return name, violation.problem
    return "", f"{violation.field} {violation.problem}"
