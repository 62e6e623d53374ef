"""What callers asked for, in the order in which the store took it: the oracle of the model.

It is kept beside the meeting, from the arguments of the calls alone.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from tests.support.meetings.calendars import Content


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A meeting as its callers see it; *invited* by folded address: how often each was added."""

    start: datetime
    end: datetime
    texts: tuple[str, str, str, str]
    organizer: object
    invited: dict[str, int] = field(default_factory=dict)
    added: dict[str, int] = field(default_factory=dict)  #: How often each was ever added.
    reminders: frozenset[timedelta] = frozenset()
    guests_are_visible: bool = False
    is_cancelled: bool = False
    is_withdrawn: bool = False  #: Cancelled with its last attendee, by CancelJob.
    wording: int = 0  #: How often all attendees had to get a mail.

    @property
    def content(self) -> Content:
        return (self.start, self.end, *self.texts, self.organizer)

    def is_told(self, address: str) -> bool:
        """Return whether *address* shall have the meeting in the calendar."""
        return not self.is_cancelled and address in self.invited

    def wants_reminder(self, address: str, start: datetime) -> bool:
        return self.is_told(address) and start == self.start

    def reworded(self, **changes: Any) -> "Truth":
        changed = replace(self, **changes)
        is_other = (changed.content, changed.guests_are_visible) != (
            self.content,
            self.guests_are_visible,
        )
        return replace(changed, wording=self.wording + is_other)

    def with_attendee(self, address: str) -> "Truth":
        if address in self.invited:
            return self
        count = self.added.get(address, 0) + 1
        return replace(
            self,
            invited={**self.invited, address: count},
            added={**self.added, address: count},
            # The store took both: then the attendee was added before the last one was withdrawn.
            is_cancelled=self.is_cancelled and not self.is_withdrawn,
        )

    def without_attendee(self, address: str) -> "Truth":
        invited = {each: count for each, count in self.invited.items() if each != address}
        return replace(self, invited=invited)

    def withdrawn(self, address: str) -> "Truth":
        """Return the truth after a caller cancelled the waiting invitation of *address*."""
        changed = self.without_attendee(address)
        if self.is_cancelled or changed.invited:
            return changed
        return replace(changed, is_cancelled=True, is_withdrawn=True)
