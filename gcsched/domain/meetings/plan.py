"""Plans the mails of a meeting: what each attendee has to get, have changed, or not get. Pure.

A plan is one step. It is carried out and a new plan is made from what is stored then, until a plan
is settled. Each step is idempotent, so after a crash anywhere it is planned again. The order of the
steps matters (docs/adr/0052): first what waits is held back, so that it is known which mails have
begun; then SEQUENCE is raised, if one of these needs to be corrected; then mails are made.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from gcsched.domain.job import Job
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meetings.effects import Effect
from gcsched.domain.meetings.mails import MailRules
from gcsched.domain.meetings.meeting import Meeting


class MailPlan(Struct, frozen=True, kw_only=True):
    """The next step for the mails of a meeting, to be carried out in the order of the fields.

    *changes* are pairs of a job as it was seen and as it shall be; each is written with a guard on
    the version that was seen. *makes* are new jobs; one whose dedup key is taken exists already.
    *meeting* is stored with a guard on the version that was planned from; None: it stays as it is.
    If the plan is not *settled*, or a guard fails, read the meeting and its jobs and plan again.
    *effects* say what all steps together do, as far as it is known.
    """

    changes: tuple[tuple[Job, Job], ...] = ()
    makes: tuple[Job, ...] = ()
    meeting: Meeting | None = None
    is_settled: bool = False
    effects: tuple[Effect, ...] = ()


def plan_mails(
    meeting: Meeting,
    jobs: Sequence[Job],
    revisions: Mapping[int, MeetingRevision],
    *,
    now: datetime,
    rules: MailRules,
) -> MailPlan:
    """Return the next step for *meeting*, whose *jobs* in every state were read after it.

    *revisions* has those that `find_needed_revisions` names, as far as they exist. The texts and
    labels of a meeting of ScheduleMeet are those of its job.
    """
    raise NotImplementedError


def find_needed_revisions(meeting: Meeting, jobs: Sequence[Job]) -> Collection[int]:
    """Return the numbers of the revisions that `plan_mails` needs beside those in *jobs*."""
    raise NotImplementedError
