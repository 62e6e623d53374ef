"""What each change of a meeting by a caller has in common: who made it, and its step. Pure."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from gcsched.domain.actor import Actor
from gcsched.domain.meetings.meeting import MAX_STEPS, Meeting, MeetingStep
from gcsched.errors import MeetingCancelled, MeetingOver


class Act(Struct, frozen=True, kw_only=True):
    """Who changes a meeting, and when; *reason* is the one that the caller gave."""

    actor: Actor
    now: datetime
    reason: str = ""


def require_changeable(meeting: Meeting, now: datetime) -> None:
    """Raise MeetingCancelled or MeetingOver if *meeting* cannot change any more."""
    if not meeting.is_scheduled:
        raise MeetingCancelled(meeting.id)
    if meeting.is_over(now):
        raise MeetingOver(meeting.id, meeting.revision.end)


def record(seen: Meeting, changed: Meeting, act: Act) -> Meeting:
    """Return *changed*, which a caller has made of *seen*, with the step of the caller."""
    step = make_step(act, changed.revision.number)
    return replace(
        changed,
        version=seen.version + 1,
        changes=seen.changes + 1,
        update_time=act.now,
        check_time=act.now,
        steps=(*seen.steps, step)[-MAX_STEPS:],
    )


def unrecord(seen: Meeting, changed: Meeting) -> Meeting:
    """Return *changed* as a trial shows it: not recorded, so with the etag of *seen*.

    An etag of a change that was not made might be that of another change later.
    """
    return replace(changed, changes=seen.changes, update_time=seen.update_time, steps=seen.steps)


def make_step(act: Act, revision: int) -> MeetingStep:
    return MeetingStep(
        time=act.now,
        client=act.actor.name,
        via=act.actor.via,
        method=act.actor.method,
        revision=revision,
        reason=act.reason,
    )
