"""Makes the mails of a meeting what the meeting needs: plan, act, and plan again until settled.

Nothing here decides: `plan_mails` does. Each write names what it saw, or is made unique by its key,
so any number of processes may do this at once, and any of them may die at any point: the meeting
keeps its check time until all is done, and the sweep goes on from what is stored.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import structlog

from gcsched.domain.job import CLAIMABLE, Job
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.effects import Effect, combine_effects
from gcsched.domain.meetings.mails import MailRules
from gcsched.domain.meetings.meeting import Meeting
from gcsched.domain.meetings.plan import MailPlan, find_needed_revisions, plan_mails
from gcsched.errors import MeetingContended, StoreUnavailable
from gcsched.usecases.ports import AdmissionCheck, Clock, MeetingJobs, Meetings, admit_always
from gcsched.usecases.stored_time import truncate_to_millisecond
from gcsched.usecases.wakeups import WakeUps

MAX_ROUNDS = 30  # plans; a change needs four or five where no other process interferes
MAX_WRITE = timedelta(seconds=5)
MIN_WRITE = timedelta(milliseconds=500)
RACE_INTERVAL_SECONDS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """A meeting whose waiting mails are as it wants them, and what was done about them.

    If it is not *settled*, some mails could not be made yet: the sweep makes them. *contended* says
    that something interfered at every try, e.g. a job that cannot be read holds the key of a mail.
    """

    meeting: Meeting
    effects: Sequence[Effect]
    is_settled: bool
    is_contended: bool = False


@dataclass(slots=True, kw_only=True)
class Progress:
    """What is known of a meeting while its mails are reconciled.

    *is_current* says that it is still as the writes so far have left it, *has_held_back* that no
    waiting mail is left that shows old content.
    """

    meeting: Meeting
    until: float
    jobs: Sequence[Job] = ()
    revisions: dict[int, MeetingRevision] = field(default_factory=dict)
    is_current: bool = False
    has_held_back: bool = False
    first: MailPlan | None = None
    made: int = 0
    changed: int = 0

    @property
    def within(self) -> timedelta:
        left = timedelta(seconds=self.until - time.monotonic())
        return min(max(left, MIN_WRITE), MAX_WRITE)


def ignore_job(_: Job) -> None:
    """Do nothing: the default where user details are not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """Reconciles the mails of one meeting at a time; *on_invited* is called with new invitations.

    A new mail takes a dedup key, so none is made while the index that keeps keys unique is damaged.
    """

    meetings: Meetings
    jobs: MeetingJobs
    rules: MailRules
    wake_ups: WakeUps
    now: Clock
    on_invited: Callable[[Job], None] = ignore_job
    check_admission: AdmissionCheck = admit_always

    async def reconcile(
        self, meeting_id: str, *, within: timedelta, known: Meeting | None = None
    ) -> Reconciled | None:
        """Reconcile until a plan is settled; return None if the meeting is unknown.

        *known* is the meeting as its caller has just stored it. Returns early, not settled, if new
        mails cannot be made. Raises StoreUnavailable if mails may still wait that show old content,
        UnreadableMeeting, and MeetingContended if other processes interfere at every try.
        """
        until = time.monotonic() + within.total_seconds()
        progress: Progress | None = None
        try:
            async with asyncio.timeout(within.total_seconds()):
                meeting = known or await self.meetings.find(meeting_id)
                if meeting is None:
                    return None
                progress = Progress(meeting=meeting, until=until)
                return await self._run(progress)
        except (StoreUnavailable, TimeoutError) as error:
            if progress is not None and progress.has_held_back:
                return conclude(progress, progress.first)
            if isinstance(error, StoreUnavailable):
                raise
            raise StoreUnavailable("holding back the mails of a meeting") from error
        finally:
            if progress is not None:
                log_progress(progress)

    async def _run(self, progress: Progress) -> Reconciled:
        for _ in range(MAX_ROUNDS):
            plan = await self._plan(progress)
            await self._carry_out(plan, progress)
            if plan.is_settled and progress.is_current:
                return conclude(progress, plan, is_settled=True)
            if not progress.is_current:
                await asyncio.sleep(RACE_INTERVAL_SECONDS)
        if progress.has_held_back:
            return replace(conclude(progress, plan), is_contended=True)
        raise MeetingContended(progress.meeting.id, MAX_ROUNDS)

    async def _plan(self, progress: Progress) -> MailPlan:
        if not progress.is_current:
            await self._read(progress)
        meeting, jobs = progress.meeting, progress.jobs
        missing = set(find_needed_revisions(meeting, jobs)) - progress.revisions.keys()
        if missing:
            progress.revisions |= await self.meetings.find_revisions(meeting.id, missing)
        plan = plan_mails(
            meeting,
            jobs,
            progress.revisions,
            now=truncate_to_millisecond(self.now()),
            rules=self.rules,
        )
        progress.first = progress.first or plan
        return plan

    async def _read(self, progress: Progress) -> None:
        """Read the meeting, then its jobs: those are never older than what is planned for."""
        if progress.first is not None:
            progress.meeting = await self._find_again(progress.meeting)
        progress.jobs = await self.meetings.find_jobs(progress.meeting.id)
        progress.is_current = True

    async def _find_again(self, meeting: Meeting) -> Meeting:
        found = await self.meetings.find(meeting.id)
        if found is None or found.version < meeting.version:
            raise StoreUnavailable("reading a meeting again")  # it is deleted, or was rolled back
        return found

    async def _carry_out(self, plan: MailPlan, progress: Progress) -> None:
        """Carry out *plan* in the order of its fields; stop at the first write that is too late."""
        if plan.changes:
            await self._change(plan.changes, progress)
        if not progress.is_current:
            return
        # Mails are made only after all that waited has been held back.
        progress.has_held_back = progress.has_held_back or bool(plan.makes) or plan.is_settled
        if plan.makes:
            await self._make(plan.makes, progress)
        if plan.meeting is not None:
            await self._replace(plan.meeting, progress)

    async def _change(self, pairs: Sequence[tuple[Job, Job]], progress: Progress) -> None:
        count, lost = await self.jobs.change_all(pairs, within=progress.within)
        progress.is_current = not lost
        progress.changed += count
        by_id = {changed.id: changed for _, changed in pairs}
        progress.jobs = [by_id.get(job.id, job) for job in progress.jobs]
        self._wake(by_id.values())

    async def _make(self, jobs: Sequence[Job], progress: Progress) -> None:
        await self.check_admission()
        made = await self.jobs.make(jobs, within=progress.within)
        progress.is_current = len(made) == len(jobs)
        progress.jobs = [*progress.jobs, *made]
        progress.made += len(made)
        self._wake(made)
        for job in made:
            if job.empid and job.meeting and job.meeting.purpose is Purpose.INVITATION:
                self.on_invited(job)

    async def _replace(self, meeting: Meeting, progress: Progress) -> None:
        if await self.meetings.replace(progress.meeting, meeting, within=progress.within):
            progress.meeting = meeting
        else:
            progress.is_current = False

    def _wake(self, jobs: Iterable[Job]) -> None:
        for due_time in {job.due_time for job in jobs if job.state in CLAIMABLE}:
            self.wake_ups.schedule(due_time)


def conclude(progress: Progress, last: MailPlan | None, *, is_settled: bool = False) -> Reconciled:
    """Return what was done: the first plan says what is to be done, the *last* what it met."""
    first = progress.first.effects if progress.first is not None else ()
    effects = combine_effects(first, last.effects if last is not None else ())
    return Reconciled(meeting=progress.meeting, effects=effects, is_settled=is_settled)


def log_progress(progress: Progress) -> None:
    """Log what became of the mails, if anything did."""
    if progress.made or progress.changed:
        structlog.get_logger().info(
            "mails of a meeting changed",
            meeting_id=progress.meeting.id,
            revision=progress.meeting.revision.number,
            made=progress.made,
            changed=progress.changed,
        )
