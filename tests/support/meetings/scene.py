"""A meeting in a world where nothing fails by chance: a test says what happens, step by step."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from gcsched.domain.access import ANYONE
from gcsched.domain.actor import Actor
from gcsched.domain.commands import Cancel, apply
from gcsched.domain.job import Job, State
from gcsched.domain.job_steps import add_step
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.acts import Act
from gcsched.domain.meetings.changes import (
    add_attendees,
    cancel_meeting,
    create_meeting,
    remove_attendees,
    update_meeting,
)
from gcsched.domain.meetings.claims import Objection, find_objection, find_standing
from gcsched.domain.meetings.drafts import AttendeeDraft, MeetingDraft
from gcsched.domain.meetings.effects import Effect, What
from gcsched.domain.meetings.evidence import fold_jobs
from gcsched.domain.meetings.meeting import Attendee, Meeting, MeetingTexts, Reminder
from gcsched.domain.meetings.plan import MailPlan, find_needed_revisions, plan_mails
from gcsched.domain.meetings.update_checks import find_values
from gcsched.domain.meetings.values import NewMeeting
from gcsched.domain.outcome import apply_attempt
from gcsched.domain.retry import OnUncertain, RetryPolicy
from gcsched.domain.smtp_reply import Kind
from tests.support.builders import an_attempt, an_event
from tests.support.meetings.callers import make_times, make_values
from tests.support.meetings.processes import Planner
from tests.support.meetings.world import World
from tests.support.relay.script import repeatable

NOW = datetime(2027, 1, 4, 8, 0, tzinfo=UTC)
START = datetime(2027, 1, 5, 9, 0, tzinfo=UTC)
MOVED = datetime(2027, 1, 6, 10, 0, tzinfo=UTC)
ADA, BOB, CLEO = "ada@example.org", "bob@example.org", "cleo@example.org"


class Scene:
    """One meeting, created at NOW with *emails* as attendees; its mails are planned."""

    def __init__(self, *emails: str, start: datetime = START, **values: Any) -> None:
        given = make_values(start, **{"texts": MeetingTexts(), **values})
        attendees = tuple(Attendee(email=each) for each in emails or (ADA,))
        new = NewMeeting(values=given, attendees=attendees, sender="")
        meeting = create_meeting(new, self.make_act("CreateMeeting", now=NOW))
        policy = RetryPolicy(on_uncertain=OnUncertain.RESEND)
        self.world = World(chance=repeatable(0), now=NOW, policy=policy, meeting=meeting)
        self.world.is_calm = True
        self.world.put_meeting(meeting)
        self.effects: Sequence[Effect] = ()
        self.reconcile()

    @property
    def meeting(self) -> Meeting:
        return self.world.meeting

    def make_act(self, method: str, *, reason: str = "", now: datetime | None = None) -> Act:
        actor = Actor(client=ANYONE, via="grpc", method=method)
        return Act(actor=actor, now=now or self.world.now, reason=reason)

    def reconcile(self) -> Sequence[Effect]:
        """Carry out plans until one is settled."""
        steps = Planner(self.world, rereads=True).run()
        while True:
            try:
                next(steps)
            except StopIteration as end:
                self.effects = end.value or ()
                return self.effects

    def plan(self) -> MailPlan:
        """Return the next step, without taking it."""
        jobs = list(self.world.jobs.values())
        needed = find_needed_revisions(self.meeting, jobs)
        revisions = self.world.find_revisions(list(needed))
        now, rules = self.world.now, self.world.rules
        return plan_mails(self.meeting, jobs, revisions, now=now, rules=rules)

    def change(self, change: Callable[[Meeting], Meeting], *, plans: bool = True) -> bool:
        """Store a change, and plan its mails if *plans*; return whether it changed anything."""
        seen = self.meeting
        known = fold_jobs(seen, list(self.world.jobs.values()))
        changed = change(known)
        if changed is known:
            return False
        assert self.world.replace_meeting(seen, changed)
        if plans:
            self.reconcile()
        return True

    def update(self, *, plans: bool = True, **changes: Any) -> bool:
        """Update the meeting; `start` moves it, and `location` is that of the occasion."""
        occasion = make_times(changes.pop("start")) if "start" in changes else {}
        occasion |= {each: changes.pop(each) for each in ("location", "url") if each in changes}

        def change(meeting: Meeting) -> Meeting:
            values = find_values(meeting)
            moved = replace(values.occasion, **occasion)
            wanted = replace(values, occasion=moved, **changes)
            return update_meeting(meeting, wanted, self.make_act("UpdateMeeting"))

        return self.change(change, plans=plans)

    def cancel(self, reason: str = "", *, plans: bool = True) -> bool:
        act = self.make_act("CancelMeeting", reason=reason)
        return self.change(lambda meeting: cancel_meeting(meeting, act), plans=plans)

    def add(self, *emails: str, tell_others: bool = False, plans: bool = True) -> bool:
        wanted, act = [Attendee(email=each) for each in emails], self.make_act("AddAttendees")
        return self.change(
            lambda meeting: add_attendees(meeting, wanted, act, tell_others=tell_others),
            plans=plans,
        )

    def remove(self, *emails: str, reason: str = "", plans: bool = True) -> bool:
        act = self.make_act("RemoveAttendees", reason=reason)
        return self.change(lambda meeting: remove_attendees(meeting, emails, act), plans=plans)

    def attendee(self, email: str = ADA) -> Attendee:
        [found] = [each for each in self.meeting.attendees if each.email == email]
        return found

    def jobs(self, email: str = ADA, purpose: Purpose | None = None) -> list[Job]:
        """Return the mails to *email*, in the order in which they were made."""
        return [
            job
            for job in self.world.jobs.values()
            if job.email == email
            and job.meeting is not None
            and purpose in {None, job.meeting.purpose}
        ]

    def last(self, email: str = ADA, purpose: Purpose | None = None) -> Job:
        return self.jobs(email, purpose)[-1]

    def claim(self, job: Job, *, at: datetime | None = None) -> Job:
        """Claim a job once it is due."""
        self.world.now = max(self.world.now, at or job.due_time)
        claimed = self.world.claim(job, f"claim of {job.id} {job.version}")
        assert claimed is not None
        return claimed

    def object_to(self, job: Job) -> Objection | None:
        return find_objection(job, find_standing(self.meeting))

    def begin(self, job: Job) -> Job:
        """Have the body of a waiting or claimed job begin."""
        claimed = job if job.state is State.SENDING else self.claim(job)
        begun = self.world.begin(claimed, claimed.claim or "")
        assert begun is not None
        return begun

    def end(self, begun: Job, kind: Kind = Kind.ACCEPTED) -> Job:
        """Have the relay answer a body that has begun; return the job after that."""
        now = self.world.now
        attempt = an_attempt(start_time=now, end_time=now, kind=kind, code=None, text=kind.value)
        ended = apply_attempt(begun, attempt, policy=self.world.policy, chance=0.01)
        if kind in {Kind.ACCEPTED, Kind.UNCERTAIN}:
            self.world.arrive(begun)
        assert self.world.conclude(begun.claim or "", ended)
        return ended

    def send(self, job: Job, kind: Kind = Kind.ACCEPTED) -> Job:
        """Send a waiting mail; the meeting is looked at after that."""
        ended = self.end(self.begin(job), kind)
        self.reconcile()
        return ended

    def send_all(self, *emails: str) -> None:
        for email in emails or (ADA,):
            self.send(self.last(email))

    def cancel_job(self, job: Job, reason: str = "") -> None:
        """Cancel a job as CancelJob does."""
        changed = apply(Cancel(reason=reason), job, suppression=None, now=self.world.now)
        actor = self.make_act("CancelJob").actor
        assert self.world.change_job(job, add_step(job, changed, actor, reason=reason))
        self.reconcile()

    def end_otherwise(self, job: Job, state: State) -> Job:
        """End a claimed job without an attempt, as EXPIRED or SUPPRESSED."""
        claimed = self.claim(job)
        ended = claimed.skipped(state, self.world.now, reason="made up")
        assert self.world.conclude(claimed.claim or "", ended)
        self.reconcile()
        return ended

    def pass_time(self, by: timedelta) -> None:
        self.world.now += by

    def told(self, purpose: Purpose, email: str = ADA) -> list[tuple[What, int, int]]:
        """Return what the last call did about mails of *purpose* to *email*."""
        return [
            (each.what, each.count, each.in_flight)
            for each in self.effects
            if (each.email, each.purpose) == (email, purpose)
        ]


def remind(*minutes: int) -> tuple[Reminder, ...]:
    return tuple(Reminder(before=timedelta(minutes=each)) for each in minutes)


def show(job: Job) -> tuple[int, int]:
    """Return the number and the SEQUENCE of the revision that the mail of *job* shows."""
    assert job.revision is not None
    return job.revision.number, job.revision.sequence


def a_draft(**others: Any) -> MeetingDraft:
    """Build a valid request for a meeting with Ada and Bob, half a year after NOW in builders."""
    ordinary: dict[str, Any] = {
        "summary": "Review",
        "event": an_event(location="Room 5"),
        "attendees": (AttendeeDraft(email=ADA, name="Ada"), AttendeeDraft(email=BOB)),
        "reminders": remind(15),
    }
    return MeetingDraft(**{**ordinary, **others})
