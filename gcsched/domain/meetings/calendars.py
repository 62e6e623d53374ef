"""The calendar file of a meeting: the one that an attendee has, or one for a web page. Pure."""

from gcsched.domain.calendar_file import write_cancel, write_public_file, write_request
from gcsched.domain.meeting import MeetingRevision, Person
from gcsched.domain.meetings.meeting import Attendee, Meeting, Told
from gcsched.domain.meetings.needs import find_goal
from gcsched.domain.organizer import is_same_mailbox

FILE_NAME = "invite.ics"


def find_attendee(meeting: Meeting, email: str) -> Attendee | None:
    """Return the attendee with the address *email*, in any spelling.

    One who was removed before any mail had left does not count.
    """
    for attendee in meeting.attendees:
        if attendee.email and is_same_mailbox(attendee.email, email):
            return attendee if attendee.is_listed else None
    return None


def is_invited(meeting: Meeting, attendee: Attendee) -> bool:
    """Return whether the meeting has to be in the calendar of *attendee*."""
    return meeting.is_scheduled and not attendee.is_removed


def find_shown_number(meeting: Meeting, attendee: Attendee) -> int:
    """Return the revision in the latest mail that *attendee* has, or would have.

    A mail that the attendee has counts if it needs no correction.
    """
    word = attendee.word
    if word.told is not Told.NOTHING and find_goal(meeting, attendee).is_reached(attendee):
        return word.revision
    return attendee.removed_revision if attendee.is_removed else meeting.revision.number


def write_calendar(meeting: Meeting, attendee: Attendee, revision: MeetingRevision) -> bytes:
    """Return the file for *attendee*, as *revision* has the meeting."""
    person = Person(email=attendee.email, name=attendee.name)
    if is_invited(meeting, attendee):
        return write_request(revision, person, attendee.role)
    return write_cancel(revision, person, is_removal=meeting.is_scheduled)


def write_page_calendar(meeting: Meeting) -> bytes:
    """Return a file without people, to offer on a web page."""
    return write_public_file(meeting.revision, is_cancelled=not meeting.is_scheduled)
