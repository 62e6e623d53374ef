"""Callers of the model: each call is a change of the meeting, and of what is true beside it."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from msgspec import structs

from gcsched.domain.access import ANYONE
from gcsched.domain.actor import Actor
from gcsched.domain.address_folding import fold_address
from gcsched.domain.event import Occasion
from gcsched.domain.meeting import Person
from gcsched.domain.meetings.acts import Act
from gcsched.domain.meetings.changes import (
    add_attendees,
    cancel_meeting,
    remove_attendees,
    update_meeting,
)
from gcsched.domain.meetings.meeting import Attendee, Meeting, Reminder
from gcsched.domain.meetings.revisions import is_any_told
from gcsched.domain.meetings.update_checks import find_values
from gcsched.domain.meetings.values import MeetingValues
from tests.support.meetings.truth import Truth

PEOPLE = ("ada@example.org", "bob@example.org", "Cleo@example.com", "dan@example.net")
ORGANIZER = Person(email="meet@example.net", name="Meetings")
SUMMARIES = ("Review", "Review of plans", "Interview")
PLACES = ("Room 1", "Room 2", "")
BEFORE = tuple(timedelta(minutes=each) for each in (5, 30, 60, 24 * 60))
AHEAD = tuple(timedelta(hours=each) for each in (0.2, 1, 4, 24, 72, 73, 220, 221))
LENGTH = timedelta(minutes=45)


class Call(NamedTuple):
    """A call: what it does to the meeting, and what it makes true."""

    method: str
    change: Callable[[Meeting, Act], Meeting]
    tell: Callable[[Truth], Truth]


def make_act(method: str, now: datetime, reason: str = "") -> Act:
    return Act(actor=Actor(client=ANYONE, via="grpc", method=method), now=now, reason=reason)


def make_times(start: datetime) -> dict[str, Any]:
    end = start + LENGTH
    walls = {"start_wall": start.replace(tzinfo=None), "end_wall": end.replace(tzinfo=None)}
    return {"start": start, "end": end, **walls}


def make_values(start: datetime, **others: Any) -> MeetingValues:
    occasion = Occasion(
        **make_times(start),
        zone="UTC",
        location="Room 1",
        url="https://meet.example.net/1",
        description="Plans",
        organizer=ORGANIZER,
    )
    ordinary: dict[str, Any] = {
        "summary": "Review",
        "occasion": occasion,
        "zone_version": "2026f",
        "sent_by": "",
        "reminders": (),
        "guests_see_each_other": False,
        "invite_time": None,
        "texts": {},
        "labels": {},
        "strict_time": False,
    }
    return MeetingValues(**{**ordinary, **others})


def find_truth(values: MeetingValues, emails: tuple[str, ...]) -> Truth:
    """Return the truth after a meeting with *values* and these attendees was created."""
    occasion = values.occasion
    counts = {fold_address(email): 1 for email in emails}
    return Truth(
        start=occasion.start,
        end=occasion.end,
        texts=(values.summary, occasion.location, occasion.url, occasion.description),
        organizer=ORGANIZER,
        invited=counts,
        added=counts,
        reminders=frozenset(each.before for each in values.reminders),
        guests_are_visible=values.guests_see_each_other,
    )


def whole_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


@dataclass
class Callers:
    """Makes random calls about one meeting."""

    chance: random.Random

    def choose(self, now: datetime) -> Call:
        makers = {
            self.move: 4,
            self.reword: 4,
            self.set_reminders: 2,
            self.show_guests: 1,
            self.postpone_invitations: 1,
            self.add: 4,
            self.remove: 4,
            self.cancel: 1,
        }
        [maker] = self.chance.choices(list(makers), list(makers.values()))
        return maker(now)

    def update(self, tell: Callable[[Truth], Truth], **changes: Any) -> Call:
        """Return an update; *changes* of the occasion are under that name."""
        occasion = changes.pop("occasion", {})

        def change(meeting: Meeting, act: Act) -> Meeting:
            values = find_values(meeting)
            moved = structs.replace(values.occasion, **occasion)
            return update_meeting(meeting, structs.replace(values, occasion=moved, **changes), act)

        return Call("UpdateMeeting", change, tell)

    def move(self, now: datetime) -> Call:
        start = whole_minute(now + self.chance.choice(AHEAD))
        return self.update(
            lambda truth: truth.reworded(start=start, end=start + LENGTH),
            occasion=make_times(start),
            invite_time=whole_minute(now),
        )

    def reword(self, _: datetime) -> Call:
        summary, place = self.chance.choice(SUMMARIES), self.chance.choice(PLACES)
        return self.update(
            lambda truth: truth.reworded(texts=(summary, place, *truth.texts[2:])),
            summary=summary,
            occasion={"location": place},
        )

    def set_reminders(self, _: datetime) -> Call:
        chosen = tuple(self.chance.sample(BEFORE, self.chance.randint(0, 3)))
        return self.update(
            lambda truth: replace(truth, reminders=frozenset(chosen)),
            reminders=tuple(Reminder(before=each) for each in chosen),
        )

    def show_guests(self, _: datetime) -> Call:
        is_shown = self.chance.random() < 0.5
        return self.update(
            lambda truth: truth.reworded(guests_are_visible=is_shown),
            guests_see_each_other=is_shown,
        )

    def postpone_invitations(self, now: datetime) -> Call:
        ahead = self.chance.choice((timedelta(), timedelta(minutes=3), timedelta(minutes=20)))
        wanted = now.replace(microsecond=0) + ahead

        def change(meeting: Meeting, act: Act) -> Meeting:
            is_early = wanted < meeting.revision.start - timedelta(minutes=1)
            if not is_early or is_any_told(meeting.attendees):
                return meeting  # such a request is invalid
            values = structs.replace(find_values(meeting), invite_time=wanted)
            return update_meeting(meeting, values, act)

        return Call("UpdateMeeting", change, lambda truth: truth)

    def add(self, _: datetime) -> Call:
        email = self.spell(self.chance.choice(PEOPLE))
        tells = self.chance.random() < 0.2

        def tell(truth: Truth) -> Truth:
            if fold_address(email) in truth.invited:
                return truth
            added = truth.with_attendee(fold_address(email))
            return replace(added, wording=truth.wording + tells)

        return Call(
            "AddAttendees",
            lambda meeting, act: add_attendees(
                meeting, (Attendee(email=email),), act, tell_others=tells
            ),
            tell,
        )

    def remove(self, _: datetime) -> Call:
        emails = [self.spell(each) for each in self.chance.sample(PEOPLE, 1)]

        def tell(truth: Truth) -> Truth:
            for email in emails:
                truth = truth.without_attendee(fold_address(email))
            return truth

        return Call(
            "RemoveAttendees", lambda meeting, act: remove_attendees(meeting, emails, act), tell
        )

    def cancel(self, _: datetime) -> Call:
        return Call(
            "CancelMeeting", cancel_meeting, lambda truth: replace(truth, is_cancelled=True)
        )

    def spell(self, email: str) -> str:
        return email.upper() if self.chance.random() < 0.2 else email
