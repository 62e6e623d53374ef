"""Calls of the model while they are carried out, write by write, and what their answers promise."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from gcsched.domain.address_folding import fold_address
from gcsched.domain.commands import Cancel, Reschedule, Resolve, Retry, apply
from gcsched.domain.job import Job, State
from gcsched.domain.job_steps import add_step
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.claims import find_supersession
from gcsched.domain.meetings.effects import Effect
from gcsched.domain.meetings.evidence import fold_jobs
from gcsched.errors import (
    IllegalTransition,
    MeetingCancelled,
    MeetingOver,
    UnknownAttendee,
)
from tests.support.meetings.callers import Call, make_act
from tests.support.meetings.processes import Planner, Steps
from tests.support.meetings.truth import Truth
from tests.support.meetings.world import World

TRIES = 5
HOURS = timedelta(hours=20)


@dataclass
class Calls:
    """Carries out calls on *world*; *truths* has what was true after each stored change."""

    world: World
    truths: list[Truth]
    broken: list[str] = field(default_factory=list)
    rereads: bool = False

    def commit(self, truth: Truth) -> int:
        """Note what a stored change made true; return its number."""
        self.truths.append(truth)
        self.world.commits = len(self.truths) - 1
        return self.world.commits

    def answer(self, commit: int) -> None:
        self.world.answers = max(self.world.answers, commit)

    def reconcile(self) -> Steps[Sequence[Effect] | None]:
        return (yield from Planner(self.world, rereads=self.rereads).run())

    def change(self, call: Call) -> Steps[None]:
        """Change the meeting, then have its mails follow; the answer is OK after that."""
        world = self.world
        for _ in range(TRIES):
            yield
            seen = world.meeting
            yield
            known = fold_jobs(seen, list(world.jobs.values()))
            try:
                changed = call.change(known, make_act(call.method, world.now))
            except (MeetingCancelled, MeetingOver, UnknownAttendee):
                return
            yield
            if changed is known:
                if seen.check_time is not None:
                    yield from self.reconcile()
                return
            if world.replace_meeting(seen, changed):
                commit = self.commit(call.tell(self.truths[-1]))
                effects = yield from self.reconcile()
                if effects is not None:
                    self.check_in_flight(commit, effects)
                    self.answer(commit)
                return

    def check_in_flight(self, commit: int, effects: Sequence[Effect]) -> None:
        """M5: after the answer no old mail begins, and those on their way are counted."""
        if commit != self.world.commits:
            return
        flying = [
            job
            for job in self.world.jobs.values()
            if job.has_begun and self.is_old(job, self.truths[-1])
        ]
        counted = sum(each.in_flight for each in effects)
        if len(flying) > counted:
            self.broken.append(f"M5: {len(flying)} old mails in flight, {counted} counted")

    @staticmethod
    def is_old(job: Job, truth: Truth) -> bool:
        assert job.meeting is not None
        address, is_cancel = fold_address(job.email), job.meeting.purpose is Purpose.CANCELLATION
        if is_cancel:
            return truth.is_told(address)
        revision = job.meeting.revision
        return not truth.is_told(address) or (revision.start, revision.end) != (
            truth.start,
            truth.end,
        )

    def cancel_job(self, job: Job) -> Steps[None]:
        """Cancel a job as CancelJob does; its meeting is looked at within the call."""
        world = self.world
        yield
        try:
            changed = apply(Cancel(), job, suppression=None, now=world.now)
        except IllegalTransition:
            return
        act = make_act("CancelJob", world.now)
        if not world.change_job(job, add_step(job, changed, act.actor)):
            return
        truth, address = self.truths[-1], fold_address(job.email)
        assert job.meeting is not None
        is_spell = truth.invited.get(address) == job.meeting.invited_count
        is_new = not self.may_have_been_invited(job)
        commit = world.commits
        if job.meeting.purpose is Purpose.INVITATION and is_spell and is_new:
            commit = self.commit(truth.withdrawn(address))
        if (yield from self.reconcile()) is not None:
            self.answer(commit)

    def may_have_been_invited(self, job: Job) -> bool:
        """Return whether a body of any request may have reached the recipient since it was added.

        Of bodies that relays refused no trace is in the calendar, and none in `unrefused`.
        """
        assert job.meeting is not None
        spell = (fold_address(job.email), job.meeting.invited_count)
        return spell in self.world.unrefused

    def retry_job(self, job: Job) -> Steps[None]:
        """Retry a job as RetryJob does, unless its meeting has superseded it."""
        yield
        if find_supersession(job, self.world.meeting):
            return
        yield
        command = Retry(keep_trying=HOURS, window=HOURS)
        try:
            changed = apply(command, job, suppression=None, now=self.world.now)
        except IllegalTransition:
            return
        holders = {each.dedup_key for each in self.world.jobs.values() if each.id != job.id}
        if changed.dedup_key not in holders and self.world.change_job(job, changed):
            self.world.is_noticed = True

    def resolve_job(self, job: Job) -> Steps[None]:
        """Resolve an UNCERTAIN job as what it truly came to."""
        yield
        arrived = any(each.job.id == job.id for each in self.world.received)
        command = Resolve(state=State.SENT if arrived else State.FAILED, reason="looked")
        try:
            changed = apply(command, job, suppression=None, now=self.world.now)
        except IllegalTransition:
            return
        if self.world.change_job(job, changed):
            self.world.is_noticed = True

    def reschedule_job(self, job: Job) -> Steps[None]:
        yield
        later = self.world.now.replace(microsecond=0) + timedelta(
            seconds=self.world.chance.choice((0, 90, 900))
        )
        command = Reschedule(schedule_time=later, is_daily=False, keep_trying=HOURS)
        try:
            changed = apply(command, job, suppression=None, now=self.world.now)
        except IllegalTransition:
            return
        act = make_act("RescheduleJob", self.world.now)
        if self.world.change_job(job, add_step(job, changed, act.actor)):
            self.world.is_noticed = True
