"""Makes the next revision of a meeting, and compares revisions. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from gcsched.domain.meeting import MeetingRevision, Person
from gcsched.domain.meetings.meeting import Attendee, Meeting, Told

SECOND = timedelta(seconds=1)


def revise(
    meeting: Meeting, now: datetime, *, raises_sequence: bool, **content: Any
) -> MeetingRevision:
    """Return the revision after the latest one of *meeting*, with other *content*.

    The stamp stays where neither content nor SEQUENCE changes: then both are the same word, and
    the calendar files of both have to be equal.
    """
    latest = meeting.revision
    stamp = latest.stamp
    if raises_sequence or not has_same_content(replace(latest, **content), latest):
        stamp = max(now.replace(microsecond=0), latest.stamp + SECOND)
    return replace(
        latest,
        number=latest.number + 1,
        sequence=latest.sequence + raises_sequence,
        stamp=stamp,
        **content,
    )


def has_same_content(one: MeetingRevision, other: MeetingRevision) -> bool:
    """Return whether two revisions say the same about the meeting, but for the guests."""
    return one == replace(
        other,
        number=one.number,
        sequence=one.sequence,
        stamp=one.stamp,
        zone_version=one.zone_version,
        guests=one.guests,
    )


def list_guests(attendees: Iterable[Attendee], *, are_visible: bool) -> tuple[Person, ...]:
    """Return the attendees as mails name them: all who are invited, or none of them."""
    if not are_visible:
        return ()
    return tuple(
        Person(email=each.email, name=each.name)
        for each in attendees
        if each.email and not each.is_removed
    )


def is_any_told(attendees: Iterable[Attendee]) -> bool:
    """Return whether one of *attendees* has, or may have, a word about the meeting."""
    return any(each.word.told is not Told.NOTHING for each in attendees)
