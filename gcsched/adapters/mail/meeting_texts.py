"""A meeting as templates show it: texts, in the words of its own time zone."""

from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple, Self

from markupsafe import Markup, escape
from msgspec import Struct

from gcsched.adapters.mail.meeting_changes import Change, describe_changes
from gcsched.domain.meeting import MeetingRevision, Person
from gcsched.domain.meeting_mail import MeetingMail, Purpose

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
MAX_CACHED = 1_000
HTML_LINE_BREAK = Markup("<br>")


class Paragraph(str):
    """A text of several lines, which HTML shows as lines: not every mail client obeys CSS there."""

    __slots__ = ()

    def __html__(self) -> str:
        return escape(str(self)).replace("\n", HTML_LINE_BREAK + "\n")


@lru_cache(maxsize=16)
def make_paragraph(text: str) -> Paragraph:
    return Paragraph("\n".join(text.strip().splitlines()))


class MeetingTexts(Struct, frozen=True, kw_only=True):
    """The variable `meeting` of templates. A text that is not known is ""."""

    summary: str  #: What it is called: the subject of the mail.
    when: str  #: Start, end and zone in one text.
    start: str  #: The start, as clocks in its zone show it.
    end: str  #: The end, likewise.
    zone: str  #: The zone and its distance from UTC, such as "Europe/Berlin, UTC+1".
    location: str  #: Where it is.
    url: str  #: A link to it.
    description: str  #: What it is about; may have several lines.
    organizer: str  #: Who invites: name and address.
    start_time: datetime  #: The start with its distance from UTC, for words of other languages.
    end_time: datetime  #: The end, likewise.
    reason: str = ""  #: Why it was cancelled, or the recipient removed from it.
    changes: tuple[Change, ...] = ()  #: What an update changes.
    is_removal: bool = False  #: A cancellation for the recipient alone: the meeting takes place.

    @classmethod
    def describe(cls, mail: MeetingMail) -> Self:
        """Return the texts of *mail*."""
        revision = mail.revision
        times = describe_revision_times(revision)
        return cls(
            summary=revision.summary,
            when=times.when,
            start=times.start,
            end=times.end,
            zone=times.zone,
            location=revision.location,
            url=revision.url,
            description=make_paragraph(revision.description),
            organizer=format_person(revision.organizer),
            start_time=times.start_time,
            end_time=times.end_time,
            # A later revision keeps the reason of a removal, which concerns no other attendee.
            reason=revision.reason if mail.purpose is Purpose.CANCELLATION else "",
            changes=() if mail.earlier is None else list_changes(mail.earlier, revision, times),
            is_removal=mail.is_removal,
        )


def list_changes(
    earlier: MeetingRevision, revision: MeetingRevision, times: "TimeTexts"
) -> tuple[Change, ...]:
    old_time = describe_revision_times(earlier).when
    return describe_changes(earlier, revision, old_time=old_time, new_time=times.when)


class TimeTexts(NamedTuple):
    """The texts that MeetingTexts has about the time."""

    when: str
    start: str
    end: str
    zone: str
    start_time: datetime
    end_time: datetime


def describe_revision_times(revision: MeetingRevision) -> TimeTexts:
    return describe_times(
        *(revision.start_wall, revision.start, revision.end_wall, revision.end, revision.zone)
    )


@lru_cache(maxsize=MAX_CACHED)
def describe_times(
    start_wall: datetime, start: datetime, end_wall: datetime, end: datetime, zone: str
) -> TimeTexts:
    """Return the words for a time; callers who invite many people have the same one many times."""
    start_time, end_time = locate_time(start_wall, start), locate_time(end_wall, end)
    start_text, end_text = format_time(start_time), format_time(end_time)
    zone_text = format_zone(zone, start_time, end_time)
    same_day = start_wall.date() == end_wall.date()
    until = f"-{format_clock(end_time)}" if same_day else f" - {end_text}"
    when = f"{start_text}{until} ({zone_text})"
    return TimeTexts(when, start_text, end_text, zone_text, start_time, end_time)


def locate_time(wall: datetime, instant: datetime) -> datetime:
    """Return *wall* with the distance from UTC that *instant* gives it.

    The rules of the zone are not asked again: newer ones must not change a mail that is resent.
    """
    return wall.replace(tzinfo=timezone(wall - instant.replace(tzinfo=None)))


def format_time(time: datetime) -> str:
    day = f"{DAYS[time.weekday()]}, {time.day} {MONTHS[time.month - 1]} {time.year}"
    return f"{day}, {format_clock(time)}"


def format_clock(time: datetime) -> str:
    return f"{time.hour:02}:{time.minute:02}"


def format_zone(name: str, start: datetime, end: datetime) -> str:
    """Return the zone in words; both distances from UTC if the clocks change in between."""
    offset = format_offset(start)
    if start.utcoffset() != end.utcoffset():
        offset = f"{offset}, later {format_offset(end)}"
    return offset if name == offset else f"{name}, {offset}"


def format_offset(time: datetime) -> str:
    minutes = (time.utcoffset() or timedelta(0)) // timedelta(minutes=1)
    hours, rest = divmod(abs(minutes), 60)
    if not minutes:
        return "UTC"
    return f"UTC{'-' if minutes < 0 else '+'}{hours}{f':{rest:02}' if rest else ''}"


def format_person(person: Person) -> str:
    return f"{person.name} <{person.email}>" if person.name else person.email
