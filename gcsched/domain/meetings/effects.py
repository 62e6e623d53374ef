"""What a call does about the mails to each attendee, for the answer to the call. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from gcsched.domain.job import Job
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.meeting import Told
from gcsched.domain.meetings.needs import Needs


class What(StrEnum):
    """What happens to a mail."""

    NOTHING = "NOTHING"  #: The attendee has the latest word, or surely has none to correct.
    MAKES = "MAKES"  #: A mail is made.
    CHANGES = "CHANGES"  #: A mail that waits shows the new content instead.
    CANCELS = "CANCELS"  #: A mail that waits is cancelled.


class Effect(Struct, frozen=True, kw_only=True):
    """What happens to the mails of one *purpose* to one attendee.

    *in_flight* counts the mails with older content that could not be held back: their bodies had
    begun.
    """

    email: str
    purpose: Purpose
    what: What = What.NOTHING
    count: int = 0
    in_flight: int = 0


def find_effects(needs: Needs) -> Sequence[Effect]:
    """Return what happens to the mails of one attendee; nothing to say of one who is gone."""
    attendee = needs.attendee
    counts = Counter[tuple[Purpose, What]]()
    for purpose in (needs.make, needs.later):
        if purpose is not None:
            counts[purpose, What.MAKES] += 1
    if needs.reminders:
        counts[Purpose.REMINDER, What.MAKES] += len(needs.reminders)
    for purpose in purposes_of(job for job, _ in needs.points):
        counts[purpose, What.CHANGES] += 1
    for purpose in purposes_of(needs.cancels):
        counts[purpose, What.CANCELS] += 1
    effects = [
        Effect(email=attendee.email, purpose=purpose, what=what, count=count)
        for (purpose, what), count in counts.items()
    ]
    for purpose, count in Counter(purposes_of(needs.in_flight)).items():
        flying = Effect(email=attendee.email, purpose=purpose, in_flight=count)
        effects = add_in_flight(effects, flying)
    if effects or attendee.is_removed:
        return effects
    is_new = attendee.word.told is Told.NOTHING
    return [Effect(email=attendee.email, purpose=Purpose.INVITATION if is_new else Purpose.UPDATE)]


def find_flying(jobs: Iterable[Job]) -> Sequence[Effect]:
    """Return which of *jobs* are in flight: all of a meeting that is over are too late."""
    effects = list[Effect]()
    for job in jobs:
        if job.has_begun and job.meeting is not None:
            flying = Effect(email=job.email, purpose=job.meeting.purpose, in_flight=1)
            effects = add_in_flight(effects, flying)
    return effects


def purposes_of(jobs: Iterable[Job]) -> Iterable[Purpose]:
    return (job.meeting.purpose for job in jobs if job.meeting is not None)


def combine_effects(first: Sequence[Effect], last: Sequence[Effect]) -> Sequence[Effect]:
    """Return the effects of a call whose *first* plan says what it does, and *last* what it met.

    What had begun is known after all that waited has been held back: in the last plan. What that
    one will do later, once a mail in flight has ended, is an effect of the call as well.
    """
    known = {(each.email, each.purpose, each.what) for each in first}
    later = (
        each
        for each in last
        if each.what is not What.NOTHING and (each.email, each.purpose, each.what) not in known
    )
    effects = [replace(each, in_flight=0) for each in (*first, *later)]
    for each in last:
        if each.in_flight:
            effects = add_in_flight(effects, each)
    return effects


def add_in_flight(effects: Sequence[Effect], flying: Effect) -> list[Effect]:
    """Return *effects* with the mails in flight of *flying* in the first one of its purpose."""
    found = list(effects)
    for place, each in enumerate(found):
        if (each.email, each.purpose) == (flying.email, flying.purpose):
            found[place] = replace(each, in_flight=each.in_flight + flying.in_flight)
            return found
    return [*found, replace(flying, what=What.NOTHING, count=0)]
