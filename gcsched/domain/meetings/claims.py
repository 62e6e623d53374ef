"""Whether a claimed mail about a meeting may still be sent. Pure.

Delivery asks this after each claim, RetryJob before it revives a job. A `Standing` is what the
answer depends on, so that it can be read for many meetings at once.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from gcsched.domain.job import Job
from gcsched.domain.meetings.meeting import Meeting, MeetingState


class Place(Struct, frozen=True, kw_only=True):
    """Where one attendee stands: the fields of `Attendee` by their names."""

    is_removed: bool
    removed_revision: int
    invited_count: int


class Standing(Struct, frozen=True, kw_only=True):
    """What of a meeting decides whether a mail about it is wanted; *places* by folded address."""

    state: MeetingState
    content_revision: int
    start: datetime
    reminders: tuple[timedelta, ...]
    places: Mapping[str, Place]


class Objection(Struct, frozen=True, kw_only=True):
    """Why a claimed mail must not be sent now; *is_final*: its job ends CANCELLED.

    Otherwise the job has to wait until it shows the latest revision.
    """

    reason: str
    is_final: bool


def find_standing(meeting: Meeting) -> Standing:
    """Return what of *meeting* decides whether its mails are wanted."""
    raise NotImplementedError


def find_objection(job: Job, standing: Standing) -> Objection | None:
    """Return why *job*, which has a meeting, must not be sent now; None if it may."""
    raise NotImplementedError


def find_supersession(job: Job, meeting: Meeting) -> str:
    """Return why *job* must not be retried; "" if it may."""
    raise NotImplementedError
