"""The kinds of calendar files that the service writes, and random meetings in each of them."""

from collections.abc import Mapping
from enum import StrEnum
from random import Random
from typing import NamedTuple

from msgspec import structs

from gcsched.domain.calendar_file import write_cancel, write_public_file, write_request
from gcsched.domain.meeting import MeetingRevision, Person
from gcsched.domain.meeting_mail import Role
from tests.support.calendars.events import ADDRESSES, EVERYDAY, PIECES, random_meetings, random_text
from tests.support.relay.script import repeatable


class Kind(StrEnum):
    """What a file is for."""

    REQUEST = "request"
    GUESTS = "request with guests"
    CANCEL = "cancel"
    REMOVAL = "removal"
    PAGE = "page"
    CANCELLED_PAGE = "cancelled page"


class Case(NamedTuple):
    """A file: what it is for, and what it is made of."""

    kind: Kind
    revision: MeetingRevision
    attendee: Person
    role: Role = Role.REQUIRED

    def write(self) -> bytes:
        match self.kind:
            case Kind.REQUEST | Kind.GUESTS:
                return write_request(self.revision, self.attendee, self.role)
            case Kind.CANCEL | Kind.REMOVAL:
                is_removal = self.kind is Kind.REMOVAL
                return write_cancel(self.revision, self.attendee, is_removal=is_removal)
            case Kind.PAGE | Kind.CANCELLED_PAGE:
                is_cancelled = self.kind is Kind.CANCELLED_PAGE
                return write_public_file(self.revision, is_cancelled=is_cancelled)


def random_cases(count: int, *, seed: int) -> Mapping[str, Case]:
    """Return *count* meetings in each kind, by a name."""
    random = repeatable(seed)
    return {
        f"{kind} {name}": make_case(kind, *meeting, random)
        for kind in Kind
        for name, meeting in random_meetings(count, seed=seed).items()
    }


def make_case(kind: Kind, revision: MeetingRevision, attendee: Person, random: Random) -> Case:
    if kind is Kind.GUESTS:
        revision = structs.replace(revision, guests=random_guests(attendee, random))
    elif kind in {Kind.CANCEL, Kind.REMOVAL}:
        reason = random_text(random, PIECES, 6)[:256]
        revision = structs.replace(revision, reason=reason, guests=(attendee,))
    return Case(kind, revision, attendee, random.choice(list(Role)))


def random_guests(attendee: Person, random: Random) -> tuple[Person, ...]:
    """Return up to five other people, and *attendee* in some place, perhaps spelled otherwise."""
    addresses = [each for each in ADDRESSES if each != attendee.email]
    chosen = random.sample(addresses, random.randrange(6))
    guests = [
        Person(each, random_text(random, random.choice((EVERYDAY, PIECES)), 4)[:256])
        for each in chosen
    ]
    spelled = random.choice((attendee.email, attendee.email.swapcase()))
    guests.insert(random.randrange(len(guests) + 1), Person(spelled, attendee.name))
    return tuple(guests)
