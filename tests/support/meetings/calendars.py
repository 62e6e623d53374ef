"""Calendars of model attendees: each files what the mails say, by the rules that it knows.

They know nothing of plans and jobs: a mail has a method, a UID, SEQUENCE, DTSTAMP and content.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from gcsched.domain.job import Job
from gcsched.domain.meeting import MeetingRevision

Content = tuple[object, ...]


class Variant(StrEnum):
    """How a calendar decides whether a message is newer than what it has."""

    RFC_5546 = "RFC_5546"  #: By SEQUENCE, then DTSTAMP (2.1.5); keeps a CANCEL that came first.
    GOOGLE = "GOOGLE"  #: Ignores a message with the SEQUENCE that it has.
    EXCHANGE = "EXCHANGE"  #: Drops a lower SEQUENCE only, whatever DTSTAMP says.
    FORGETFUL = "FORGETFUL"  #: By RFC 5546, but forgets a CANCEL of what it does not know.


class Message(NamedTuple):
    """What a calendar reads in one mail; *method* is "" in a mail without a calendar part."""

    method: str
    uid: str
    sequence: int
    stamp: datetime
    content: Content
    is_whole: bool  #: STATUS:CANCELLED: the whole meeting is off.


def read_message(job: Job) -> Message:
    """Return what a calendar reads in the mail of *job*, which is composed of these fields."""
    mail = job.meeting
    assert mail is not None
    methods = {"INVITATION": "REQUEST", "UPDATE": "REQUEST", "CANCELLATION": "CANCEL"}
    return Message(
        method=methods.get(mail.purpose.value, ""),
        uid=mail.revision.uid,
        sequence=mail.revision.sequence,
        stamp=mail.revision.stamp,
        content=read_content(mail.revision),
        is_whole=mail.purpose.value == "CANCELLATION" and not mail.is_removal,
    )


def read_content(revision: MeetingRevision) -> Content:
    """Return what a calendar shows of a meeting."""
    texts = (revision.summary, revision.location, revision.url, revision.description)
    return (revision.start, revision.end, *texts, revision.organizer)


def read_end(content: Content) -> datetime:
    end = content[1]
    assert isinstance(end, datetime)
    return end


class Event(NamedTuple):
    """What a calendar has of one meeting; *content* is None once it is cancelled."""

    sequence: int
    stamp: datetime
    content: Content | None


@dataclass
class Calendar:
    """The calendar of one attendee, one event for each UID."""

    variant: Variant
    events: dict[str, Event] = field(default_factory=dict)

    def receive(self, message: Message) -> None:
        if not message.method:
            return
        known = self.events.get(message.uid)
        if known is None and message.method == "CANCEL" and self.variant is Variant.FORGETFUL:
            return
        if known is not None and not self.is_newer(message, known):
            return
        content = message.content if message.method == "REQUEST" else None
        self.events[message.uid] = Event(message.sequence, message.stamp, content)

    def is_newer(self, message: Message, known: Event) -> bool:
        match self.variant:
            case Variant.GOOGLE:
                return message.sequence > known.sequence
            case Variant.EXCHANGE:
                return message.sequence >= known.sequence
            case _:
                return (message.sequence, message.stamp) > (known.sequence, known.stamp)

    def show(self) -> list[Content]:
        """Return the meetings that its owner sees."""
        return [each.content for each in self.events.values() if each.content is not None]
