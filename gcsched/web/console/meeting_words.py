"""Says in words what a meeting is, when, who knows of it, and what a change does. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import NamedTuple

from gcsched.domain.calendar_file import Method
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.effects import Effect, What
from gcsched.domain.meetings.meeting import Attendee, Meeting, Told
from gcsched.domain.meetings.needs import find_goal
from gcsched.web.console.states import STATE_MARKS


class Phase(Enum):
    """Where a meeting is in its life."""

    AHEAD = auto()
    NOW = auto()
    OVER = auto()
    CANCELLED = auto()


class Mark(NamedTuple):
    """How something looks: a glyph, the class of a colour, and words."""

    glyph: str
    colour: str
    words: str


class Headline(NamedTuple):
    """A sentence about a meeting, and the instant at its end."""

    text: str
    time: datetime


PHASE_MARKS: Mapping[Phase, Mark] = {
    Phase.AHEAD: Mark(*STATE_MARKS["SCHEDULED"], "SCHEDULED"),
    Phase.NOW: Mark(*STATE_MARKS["SENDING"], "SCHEDULED, now"),
    Phase.OVER: Mark(*STATE_MARKS["SENT"], "SCHEDULED, over"),
    Phase.CANCELLED: Mark(*STATE_MARKS["CANCELLED"], "CANCELLED"),
}
METHOD_WORDS: Mapping[str, str] = {
    "CreateMeeting": "created",
    "ScheduleMeet": "created",
    "UpdateMeeting": "changed",
    "CancelMeeting": "cancelled",
    "AddAttendees": "attendees added",
    "RemoveAttendees": "attendees removed",
    "CancelJob": "an invitation withdrawn",
    "CancelJobs": "invitations withdrawn",
}
NOUNS: Mapping[Purpose, str] = {
    Purpose.INVITATION: "invitation",
    Purpose.UPDATE: "update",
    Purpose.CANCELLATION: "cancellation",
    Purpose.REMINDER: "reminder",
}


def find_phase(meeting: Meeting, now: datetime) -> Phase:
    if not meeting.is_scheduled:
        return Phase.CANCELLED
    if meeting.is_over(now):
        return Phase.OVER
    return Phase.AHEAD if now < meeting.revision.start else Phase.NOW


def write_headline(meeting: Meeting, phase: Phase) -> Headline:
    match phase:
        case Phase.CANCELLED:
            return Headline("was called off,", meeting.revision.stamp)
        case Phase.OVER:
            return Headline("took place until", meeting.revision.end)
        case Phase.NOW:
            return Headline("goes on until", meeting.revision.end)
        case _:
            return Headline("begins", meeting.revision.start)


def show_span(start: datetime, end: datetime) -> str:
    """Return two times of one clock on the wall, such as Sat 5 Jan 2030, 09:00 to 09:30."""
    day = f"{start:%a} {start.day} {start:%b %Y}, {start:%H:%M}"
    if start.date() == end.date():
        return f"{day}\u2013{end:%H:%M}"
    return f"{day} \u2013 {end:%a} {end.day} {end:%b %Y}, {end:%H:%M}"


def show_offset(wall: datetime, instant: datetime) -> str:
    """Return how far *wall* is ahead of UTC, as `+01:00`."""
    offset = wall - instant.replace(tzinfo=None)
    sign, minutes = "-" if offset < timedelta(0) else "+", abs(offset) // timedelta(minutes=1)
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}"


def write_wall(wall: datetime) -> str:
    """Return a time as fields of forms have it."""
    return wall.isoformat(timespec="seconds" if wall.second else "minutes")


def show_length(length: timedelta) -> str:
    """Return *length* exactly: `30 min`, `1 h 30 min`, `2 d`."""
    seconds, parts = int(length.total_seconds()), list[str]()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts)


def describe_knowledge(meeting: Meeting, attendee: Attendee) -> Mark:
    """Return what *attendee* knows of the meeting, or may know."""
    word = attendee.word
    if word.told is Told.NOTHING:
        return Mark("\u25cb", "soft", "nothing yet")
    is_latest = find_goal(meeting, attendee).is_reached(attendee)
    if word.method is Method.CANCEL:
        words = "that it is off" if not attendee.is_removed else "that they are not invited"
    else:
        words = "the latest" if is_latest else f"an earlier version, sequence {word.sequence}"
    if word.told is Told.MAYBE or attendee.is_in_doubt:
        return Mark("?", "uncertain", f"perhaps {words}")
    return Mark("\u2713", "sent", words) if is_latest else Mark("\u21bb", "retrying", words)


def sum_up(effects: Iterable[Effect]) -> Sequence[str]:
    """Return what happens to the mails of *effects*, by purpose: `2 waiting reminders withdrawn`.

    What has nothing to send, to change or to withdraw is left out.
    """
    totals = Counter[tuple[What, Purpose]]()
    for each in effects:
        totals[each.what, each.purpose] += each.count
    return [
        DOES[what].format(f"{count:,}", f"{NOUNS[purpose]}{'s' if count > 1 else ''}")
        for what in DOES
        for purpose in NOUNS
        if (count := totals[what, purpose])
    ]


DOES: Mapping[What, str] = {
    What.MAKES: "{} new {}",
    What.CHANGES: "{} waiting {} with the new content",
    What.CANCELS: "{} waiting {} withdrawn",
}
