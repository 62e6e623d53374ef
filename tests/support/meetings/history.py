"""Random histories of one meeting: calls, deliveries, sweeps and kills, in any order.

A history is made of a seed alone, so one that fails can be run again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from gcsched.domain.job import CLAIMABLE, FINAL_STATES, Job, State
from gcsched.domain.meeting_mail import MeetingMail, Purpose
from gcsched.domain.meetings.changes import create_meeting
from gcsched.domain.meetings.mails import MailMaker
from gcsched.domain.meetings.meeting import Attendee, Meeting, MeetingTexts, Reminder
from gcsched.domain.meetings.values import NewMeeting
from tests.support.meetings.callers import (
    AHEAD,
    BEFORE,
    PEOPLE,
    Callers,
    find_truth,
    make_act,
    make_values,
    whole_minute,
)
from tests.support.meetings.calls import Calls
from tests.support.meetings.processes import Delivery, Planner, Steps, expire_leases
from tests.support.meetings.truth import Truth
from tests.support.meetings.world import World, choose_policy
from tests.support.relay.script import repeatable

BEGINNING = datetime(2027, 1, 4, 8, 0, 3, 250_000, tzinfo=UTC)
MOST_TASKS = 8
FEWEST_CALLS = 6
PACES = (1, 5, 25)
LONG = tuple(timedelta(minutes=each) for each in (1, 1, 2, 5, 5, 20, 60, 24 * 60))
KILLED = 0.012  # how likely a process dies before its next read or write
LONGEST_CALL = timedelta(minutes=10)
RETENTION = timedelta(hours=1)


@dataclass
class Task:
    """One process's work on the meeting; *delivery* is set if that is a mail."""

    steps: Steps[object]
    delivery: Delivery | None = None
    job_id: str = ""
    pace: int = 1
    until: datetime = BEGINNING


@dataclass
class History:
    """One history from a seed; *broken* lists the promises that did not hold."""

    seed: int
    world: World = field(init=False)
    calls: Calls = field(init=False)
    tasks: list[Task] = field(default_factory=list)
    calm_time: datetime = BEGINNING
    kills: int = 0
    tokens: Iterator[int] = field(default_factory=lambda: iter(range(10**6)))

    def __post_init__(self) -> None:
        chance = repeatable(self.seed)
        self.chance, self.callers = chance, Callers(chance)
        emails = tuple(chance.sample(PEOPLE, chance.choice((1, 2, 3, 3))))
        values = make_values(
            whole_minute(BEGINNING + chance.choice(AHEAD)),
            reminders=tuple(Reminder(before=each) for each in chance.sample(BEFORE, 2)),
            guests_see_each_other=chance.random() < 0.2,
            texts=MeetingTexts(),
        )
        new = NewMeeting(
            values=values, attendees=tuple(Attendee(email=each) for each in emails), sender=""
        )
        meeting = create_meeting(new, make_act("CreateMeeting", BEGINNING))
        self.world = World(
            chance=chance, now=BEGINNING, policy=choose_policy(chance), meeting=meeting
        )
        self.world.put_meeting(meeting)
        self.calls = Calls(self.world, [find_truth(values, emails)], rereads=chance.random() < 0.3)
        if len(emails) == 1 and chance.random() < 0.5:
            self.invite_by_event(meeting)
        else:
            self.start(Planner(self.world, rereads=False).run())

    def invite_by_event(self, meeting: Meeting) -> None:
        """Have the meeting made by a request with an event: its job comes first."""
        world, [attendee] = self.world, meeting.attendees
        maker = MailMaker(meeting=meeting, revisions={}, now=world.now, rules=world.rules)
        job = maker.make(attendee, Purpose.INVITATION)
        assert job.meeting is not None
        mail = MeetingMail(revision=meeting.revision)
        world.make_job(replace(job, dedup_key="content", meeting=mail))

    @property
    def truth(self) -> Truth:
        return self.calls.truths[-1]

    def start(
        self, steps: Steps[object], delivery: Delivery | None = None, job_id: str = ""
    ) -> None:
        until = self.world.now + LONGEST_CALL
        self.tasks.append(Task(steps, delivery, job_id, self.chance.choice(PACES), until))

    def choose_task(self) -> Task:
        """Choose who goes on; a process that is slow acts on what it read long ago."""
        [task] = self.chance.choices(self.tasks, [each.pace for each in self.tasks])
        return task

    def run(self) -> None:
        """Make some calls while much else happens; then wait until all is at rest, or the start."""
        left = FEWEST_CALLS + self.seed % 9
        while left or (self.tasks and self.chance.random() < 0.9):
            # Most faults need a call while mails are on their way.
            is_busy = any(each.delivery is not None for each in self.tasks)
            if (
                left
                and len(self.tasks) < MOST_TASKS
                and self.chance.random() < (0.35 if is_busy else 0.02)
            ):
                left -= 1
                self.start(self.choose_call())
            self.tick()
        self.calm_time = self.world.now
        self.settle(-timedelta(seconds=1))

    def choose_call(self) -> Steps[None]:
        """Return a call about the meeting, or about one of its jobs."""
        jobs = list(self.world.jobs.values())
        if not jobs or self.chance.random() < 0.75:
            return self.calls.change(self.callers.choose(self.world.now))
        job = self.chance.choice(jobs)
        chosen = self.chance.choices(
            (
                self.calls.cancel_job,
                self.calls.retry_job,
                self.calls.resolve_job,
                self.calls.reschedule_job,
            ),
            (3, 3, 2, 1),
        )
        return chosen[0](job)

    def tick(self) -> None:
        """Do one random thing."""
        dice = self.chance.random()
        if dice < 0.25 and len(self.tasks) < MOST_TASKS and self.start_work():
            return
        if self.tasks and dice < 0.9:
            task = self.choose_task()
            if self.chance.random() < KILLED:
                self.kill(task)
            else:
                self.advance(task)
        elif dice < 0.985:
            self.pass_time(timedelta(seconds=self.chance.uniform(0, 15)))
        else:
            self.pass_time(self.chance.choice(LONG))

    def advance(self, task: Task) -> None:
        try:
            next(task.steps)
        except StopIteration:
            self.tasks.remove(task)

    def kill(self, task: Task) -> None:
        self.kills += 1
        self.tasks.remove(task)
        task.steps.close()
        if task.delivery is not None:
            task.delivery.die()

    def pass_time(self, by: timedelta) -> None:
        self.world.now += by
        taken = set(expire_leases(self.world))
        for task in [each for each in self.tasks if each.job_id in taken]:
            self.kill(task)  # its permit is over, so its connection is closed
        for task in [each for each in self.tasks if each.until < self.world.now]:
            if task.delivery is None:
                self.kill(task)  # its deadline has passed
        if self.world.happens(0.2):
            self.delete_old_jobs()

    def delete_old_jobs(self) -> None:
        """Delete what is over for long, once the meeting has nothing to learn from it."""
        if self.world.meeting.check_time is not None or self.world.is_noticed:
            return
        for job in list(self.world.jobs.values()):
            if job.state in FINAL_STATES and job.state_time < self.world.now - RETENTION:
                self.world.deleted[job.id] = self.world.jobs.pop(job.id)

    def start_work(self) -> bool:
        """Start what a process would do now: deliver a mail, or look at the meeting."""
        world, meeting = self.world, self.world.meeting
        is_unchecked = meeting.check_time is not None and meeting.check_time <= world.now
        choices = list[Job | None](world.list_due())
        if world.is_noticed or is_unchecked:
            choices.append(None)
        if not choices:
            return False
        many = len(choices) if self.chance.random() < 0.2 else 1
        for chosen in self.chance.sample(choices, many):
            if chosen is None:
                world.is_noticed = False
                self.start(Planner(world, rereads=self.calls.rereads).run())
            else:
                delivery = Delivery(world, f"claim-{next(self.tokens)}")
                self.start(delivery.run(chosen), delivery, chosen.id)
        return True

    def settle(self, after_start: timedelta) -> None:
        """Do all that is left, without any failure, up to that time."""
        self.world.is_calm = True
        for _ in range(3_000):
            if self.tasks:
                self.advance(self.choose_task())
            elif not self.start_work() and not self.wait(self.truth.start + after_start):
                return
        self.calls.broken.append("M1: it never comes to rest")

    def wait(self, until: datetime) -> bool:
        """Wait until something is due; return False if nothing is before *until*."""
        world, check_time = self.world, self.world.meeting.check_time
        times = [job.due_time for job in world.jobs.values() if job.state in CLAIMABLE]
        times += [world.leases[j.id] for j in world.jobs.values() if j.state is State.SENDING]
        times += [check_time] if check_time is not None else []
        times = [each for each in times if each <= until]
        if not times:
            return False
        self.pass_time(max(min(times) - world.now, timedelta()))
        return True
