"""A meeting as its mails show it: one immutable revision, and the people in it. Pure."""

from datetime import UTC, datetime, timedelta

from msgspec import Struct

NO_OFFSET = timedelta(0)


class Person(Struct, frozen=True):
    """A person with a mailbox. A *name* of "" means that it is not known."""

    email: str
    name: str = ""


class MeetingRevision(Struct, frozen=True, kw_only=True):
    """What a meeting was from one change to the next. A change makes another revision.

    The wall times are what the caller asked for and stay the truth; the instants were derived from
    them by the rules of `zone_version`.
    """

    meeting_id: str  #: The meeting; a UUIDv7.
    uid: str  #: The meeting in every calendar, for its whole life.
    number: int  #: Counts the revisions of the meeting, from 1.
    sequence: int  #: SEQUENCE of RFC 5545: higher in each mail that corrects an earlier one.
    stamp: datetime  #: When this revision was stored, in UTC, to the second.
    start: datetime  #: The instant of the start, in UTC, to the second.
    end: datetime  #: The instant of the end, in UTC, to the second; after the start.
    start_wall: datetime  #: The start as clocks in `zone` show it; naive.
    end_wall: datetime  #: The end as clocks in `zone` show it; naive.
    zone: str  #: The IANA name of the time zone, as the caller wrote it.
    zone_version: str  #: The version of the zone rules, such as "2026f".
    summary: str  #: What it is called, in one line.
    location: str = ""  #: Where it is; "" if that is not known.
    url: str = ""  #: A link to it, http or https, in ASCII; "" for none.
    description: str = ""  #: What it is about; may have several lines.
    organizer: Person  #: Who invites. Calendars send their answers there.
    sent_by: str = ""  #: The address that sends for the organizer; "" if that is the organizer.
    guests: tuple[Person, ...] = ()  #: All attendees, if they may see each other.
    reason: str = ""  #: Why the meeting was cancelled, or its recipient removed.

    def __post_init__(self) -> None:
        for moment in (self.stamp, self.start, self.end):
            is_utc = moment.tzinfo is UTC or moment.utcoffset() == NO_OFFSET
            if not is_utc or moment.microsecond:
                raise ValueError(f"{moment.isoformat()} is not in whole seconds of UTC")
        if self.start_wall.tzinfo is not None or self.end_wall.tzinfo is not None:
            raise ValueError("a wall time has no offset; write it without one")
        if self.end <= self.start:
            raise ValueError(f"{self.end.isoformat()} is not after {self.start.isoformat()}")
        if not self.summary.strip():
            raise ValueError("the summary is blank, and an invitation needs one")
