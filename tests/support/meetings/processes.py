"""What processes do with a meeting, write by write: plans, deliveries and sweeps of the model.

Each is a generator that stops before each read and each write, so that any others may come in
between, and any may be killed there.
"""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from msgspec.structs import replace

from gcsched.domain.job import Job, State
from gcsched.domain.meetings.claims import find_objection, find_standing
from gcsched.domain.meetings.effects import Effect, combine_effects
from gcsched.domain.meetings.meeting import Meeting
from gcsched.domain.meetings.plan import MailPlan, find_needed_revisions, plan_mails
from gcsched.domain.outcome import (
    apply_attempt,
    apply_lease_expiration,
    end_before_attempt,
)
from gcsched.domain.smtp_reply import Kind
from tests.support.builders import an_attempt
from tests.support.meetings.world import World

T = TypeVar("T")
Steps = Generator[None, None, T]
MAX_ROUNDS = 30
POSTPONED = timedelta(seconds=10)
KINDS = (Kind.RECIPIENT, Kind.DEFERRED, Kind.RELAY, Kind.UNCERTAIN)


@dataclass
class Planner:
    """Carries out plans until one is settled, as the service does."""

    world: World
    rereads: bool  #: Whether it reads all again after each of its own writes.
    meeting: Meeting | None = None
    jobs: Sequence[Job] = ()
    is_current: bool = False
    first: Sequence[Effect] | None = None
    in_flight: int = 0

    def run(self) -> Steps[Sequence[Effect] | None]:
        """Return the effects; None if other processes interfered at every try."""
        for _ in range(MAX_ROUNDS):
            meeting = yield from self.read()
            plan = self.plan(meeting)
            if self.first is None:
                self.first = plan.effects
            yield from self.carry_out(plan, meeting)
            if plan.is_settled and self.is_current:
                return combine_effects(self.first, plan.effects)
        assert not self.world.is_calm, "the plan is never settled"
        return None

    def plan(self, meeting: Meeting) -> MailPlan:
        needed = find_needed_revisions(meeting, self.jobs)
        known = self.world.find_revisions(list(needed))
        return plan_mails(meeting, self.jobs, known, now=self.world.now, rules=self.world.rules)

    def read(self) -> Steps[Meeting]:
        """Return the meeting as stored or as just written, and have its jobs as they were then."""
        if self.meeting is None or not self.is_current or self.rereads:
            yield
            self.meeting = self.world.meeting
            yield
            self.jobs = list(self.world.jobs.values())
            self.is_current = True
        return self.meeting

    def carry_out(self, plan: MailPlan, meeting: Meeting) -> Steps[None]:
        for seen, changed in plan.changes:
            yield
            self.is_current = self.world.change_job(seen, changed) and self.is_current
        by_id = {changed.id: changed for _, changed in plan.changes}
        self.jobs = [by_id.get(job.id, job) for job in self.jobs]
        if not self.is_current:
            return
        for job in plan.makes:
            yield
            self.is_current = self.world.make_job(job) and self.is_current
        self.jobs = [*self.jobs, *plan.makes]
        if plan.meeting is not None:
            yield
            if self.world.replace_meeting(meeting, plan.meeting):
                self.meeting = plan.meeting
            else:
                self.is_current = False


@dataclass
class Delivery:
    """Delivers one job, from its claim to its outcome."""

    world: World
    token: str
    flying: Job | None = field(default=None)  #: The job while its body may be on the way.

    def run(self, job: Job) -> Steps[None]:
        world = self.world
        claimed = world.claim(job, self.token)
        if claimed is None:
            return
        yield
        if self.end_early(claimed):
            return
        yield
        objection = find_objection(claimed, find_standing(world.meeting))
        if objection is not None:
            yield
            self.hold_back(claimed, objection.reason if objection.is_final else "")
            return
        yield
        begun = world.begin(claimed, self.token)
        if begun is None:
            return
        self.flying = begun
        yield
        yield from self.hand_over(begun)

    def end_early(self, job: Job) -> bool:
        """End the job without an attempt if it is too late, or its address is suppressed."""
        now = self.world.now
        ended = end_before_attempt(job, suppression=None, now=now)
        if ended is None and self.world.happens(0.03):
            ended = job.skipped(State.SUPPRESSED, now, reason="suppressed")
        if ended is None:
            return False
        self.conclude(ended)
        return True

    def hold_back(self, job: Job, reason: str) -> None:
        now = self.world.now
        if reason:
            self.conclude(job.cancelled(now, reason=reason))
        else:
            self.conclude(job.postponed(now + POSTPONED, now))

    def hand_over(self, job: Job) -> Steps[None]:
        """Have the relay answer, or not; then record the outcome."""
        world = self.world
        kind = world.chance.choice(KINDS) if world.happens(0.3) else Kind.ACCEPTED
        if kind is Kind.ACCEPTED or (kind is Kind.UNCERTAIN and world.chance.random() < 0.5):
            world.arrive(job)
        if kind in {Kind.ACCEPTED, Kind.UNCERTAIN}:
            world.note_unrefused(job)
        self.flying = None
        now = world.now
        attempt = an_attempt(start_time=now, end_time=now, kind=kind, code=None, text=kind.value)
        changed = apply_attempt(job, attempt, policy=world.policy, chance=0.01)
        yield
        self.conclude(changed)

    def conclude(self, changed: Job) -> None:
        if self.world.conclude(self.token, changed) and not self.world.happens(0.3):
            self.world.is_noticed = True

    def die(self) -> None:
        """Decide what became of a body whose process was killed."""
        if self.flying is not None:
            self.world.note_unrefused(self.flying)
            if self.world.chance.random() < 0.5:
                self.world.arrive(self.flying)


def expire_leases(world: World) -> Iterable[str]:
    """Take jobs from claims whose lease is over; return the ids of these jobs."""
    for job in list(world.jobs.values()):
        if job.state is State.SENDING and world.leases[job.id] <= world.now:
            changed = apply_lease_expiration(
                job, begun=job.begun, policy=world.policy, now=world.now
            )
            world.jobs[job.id] = replace(changed, lease_expirations=0)
            if job.has_begun:
                world.note_unrefused(job)  # the service cannot know that a relay refused it
            world.is_noticed = world.is_noticed or not world.happens(0.3)
            yield job.id
