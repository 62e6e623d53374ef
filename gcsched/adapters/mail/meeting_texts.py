"""A meeting as templates show it: texts, in the words of its own time zone."""

from datetime import datetime, timedelta, timezone
from typing import Self

from markupsafe import Markup, escape
from msgspec import Struct

from gcsched.domain.meeting import MeetingRevision, Person

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
HTML_LINE_END = Markup("<br>\n")


class Paragraph(str):
    """A text of several lines, which HTML shows as lines: not every mail client obeys CSS there."""

    __slots__ = ()

    def __html__(self) -> str:
        return escape(str(self)).replace("\n", HTML_LINE_END)


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

    @classmethod
    def describe(cls, revision: MeetingRevision) -> Self:
        """Return the texts of *revision*."""
        start = locate_time(revision.start_wall, revision.start)
        end = locate_time(revision.end_wall, revision.end)
        zone = format_zone(revision.zone, start, end)
        same_day = start.date() == end.date()
        until = format_clock(end) if same_day else f" {format_time(end)}"
        return cls(
            summary=revision.summary,
            when=f"{format_time(start)}{'-' if same_day else ' -'}{until} ({zone})",
            start=format_time(start),
            end=format_time(end),
            zone=zone,
            location=revision.location,
            url=revision.url,
            description=Paragraph("\n".join(revision.description.strip().splitlines())),
            organizer=format_person(revision.organizer),
            start_time=start,
            end_time=end,
        )


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
