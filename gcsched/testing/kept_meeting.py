"""A meeting in the memory of a fake, with its mails: by the service's own plan, without a store."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from gcsched.domain.job import CLAIMABLE, Job, State
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meetings.effects import Effect, combine_effects
from gcsched.domain.meetings.evidence import fold_jobs
from gcsched.domain.meetings.mails import MailRules
from gcsched.domain.meetings.meeting import Meeting
from gcsched.domain.meetings.plan import MailPlan, plan_mails

MAX_STEPS = 30  # of a plan; a change needs four or five


@dataclass(kw_only=True, eq=False)
class KeptMeeting:
    """A *meeting* as it is now, its jobs in every state, and its revisions by number."""

    meeting: Meeting
    rules: MailRules
    jobs: list[Job] = field(default_factory=list)
    revisions: dict[int, MeetingRevision] = field(default_factory=dict)

    @property
    def noted(self) -> Meeting:
        """The meeting with what its mails prove."""
        return fold_jobs(self.meeting, self.jobs)

    def store(self, meeting: Meeting) -> None:
        self.meeting = meeting
        self.revisions[meeting.revision.number] = meeting.revision

    def plan(self, meeting: Meeting, now: datetime) -> MailPlan:
        """Return the next step for the mails of *meeting*, which may be a change of this one."""
        return plan_mails(meeting, self.jobs, self.revisions, now=now, rules=self.rules)

    def reconcile(self, now: datetime) -> Sequence[Effect]:
        """Make, change and cancel mails until none is left to do; return what was done."""
        first: Sequence[Effect] | None = None
        for _ in range(MAX_STEPS):
            plan = self.plan(self.meeting, now)
            first = plan.effects if first is None else first
            self._carry_out(plan)
            if plan.is_settled:
                return combine_effects(first, plan.effects)
        raise RuntimeError(f"the mails of meeting {self.meeting.id} were planned without an end")

    def _carry_out(self, plan: MailPlan) -> None:
        changed = {after.id: after for _, after in plan.changes}
        self.jobs = [*(changed.get(each.id, each) for each in self.jobs), *plan.makes]
        if plan.meeting is not None:
            self.store(plan.meeting)

    def send_due(self, now: datetime) -> None:
        """Take each mail that has become due as sent then, in the order of their times."""
        while due := [
            each for each in self.jobs if each.state in CLAIMABLE and each.due_time <= now
        ]:
            job = min(due, key=lambda each: each.due_time)
            state = State.SENT if job.due_time < job.expire_time else State.EXPIRED
            sent = replace(
                job,
                state=state,
                state_time=job.due_time,
                date=job.due_time,
                version=job.version + 1,
            )
            self.jobs = [sent if each is job else each for each in self.jobs]
            self.reconcile(max(job.due_time, self.meeting.update_time))
