"""A meeting, its jobs and its mails without any I/O: each write is guarded as the store does it."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from gcsched.domain.address_folding import fold_address
from gcsched.domain.job import CLAIMABLE, Job, State
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meetings.mails import MailRules
from gcsched.domain.meetings.meeting import Meeting
from gcsched.domain.retry import OnUncertain, RetryPolicy
from tests.support.meetings.calendars import Calendar, Message, Variant, read_message

LEASE = timedelta(seconds=30)


@dataclass(frozen=True, kw_only=True)
class Received:
    """A mail that a relay accepted, or that it has although its reply was lost."""

    time: datetime
    job: Job
    message: Message

    @property
    def address(self) -> str:
        return fold_address(self.job.email)


@dataclass(frozen=True, kw_only=True)
class Body:
    """A body that began: it may arrive or not."""

    time: datetime
    job: Job
    flying: tuple[Job, ...]  #: Other mails to the same attendee that were on their way.
    commits: int  #: How many changes of callers were stored when it began.
    answers: int  #: How many of them had been answered.


@dataclass
class World:
    """What is stored, and what attendees have got. *chance* decides what happens to it."""

    chance: random.Random
    now: datetime
    policy: RetryPolicy
    meeting: Meeting
    revisions: dict[int, MeetingRevision] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    deleted: dict[str, Job] = field(default_factory=dict)  #: Those whose retention is over.
    leases: dict[str, datetime] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)
    may_have: set[str] = field(default_factory=set)  #: Addresses that a body may have reached.
    unrefused: set[tuple[str, int]] = field(default_factory=set)  #: By a request, of which spell.
    calendars: dict[tuple[str, Variant], Calendar] = field(default_factory=dict)
    sequences: list[int] = field(default_factory=list)
    is_noticed: bool = False
    is_calm: bool = False  #: No failure from now on, neither of relays nor of processes.
    commits: int = 0
    answers: int = 0
    made: int = 0

    def make_id(self, _: datetime) -> str:
        self.made += 1
        return f"{self.made:032x}"

    @property
    def rules(self) -> MailRules:
        return MailRules(message_id_domain="example.net", make_id=self.make_id)

    def happens(self, likelihood: float) -> bool:
        """Return whether something unlucky happens now."""
        return not self.is_calm and self.chance.random() < likelihood

    def replace_meeting(self, seen: Meeting, changed: Meeting) -> bool:
        """Store *changed* if the meeting has the version that was *seen*."""
        if self.meeting.version != seen.version:
            return False
        self.put_meeting(changed)
        return True

    def put_meeting(self, meeting: Meeting) -> None:
        self.meeting = meeting
        self.revisions.setdefault(meeting.revision.number, meeting.revision)
        self.sequences.append(meeting.revision.sequence)

    def change_job(self, seen: Job, changed: Job) -> bool:
        """Store *changed* if the job is as it was *seen*."""
        if self.jobs.get(seen.id) != seen:
            return False
        self.jobs[seen.id] = changed
        return True

    def make_job(self, job: Job) -> bool:
        """Store *job* if its dedup key is free."""
        if any(each.dedup_key == job.dedup_key for each in self.jobs.values()):
            return False
        self.jobs[job.id] = job
        return True

    def claim(self, job: Job, token: str) -> Job | None:
        """Claim *job* if it is as it was seen and due; return it as it is then."""
        if job.state not in CLAIMABLE or job.due_time > self.now:
            return None
        claimed = replace(
            job, state=State.SENDING, claim=token, state_time=self.now, version=job.version + 1
        )
        if not self.change_job(job, claimed):
            return None
        self.leases[job.id] = self.now + LEASE
        return claimed

    def begin(self, job: Job, token: str) -> Job | None:
        """Mark *job* as begun if *token* still holds it: the fence. Its mail is as it was claimed.

        Returns the job with the mark.
        """
        stored = self.jobs.get(job.id)
        if stored is None or stored.claim != token or stored.state is not State.SENDING:
            return None
        self.jobs[job.id] = replace(stored, begun=self.now, date=stored.date or self.now)
        begun = replace(job, begun=self.now, date=job.date or self.now)
        self.bodies.append(
            Body(
                time=self.now,
                job=begun,
                flying=self.find_flying(begun),
                commits=self.commits,
                answers=self.answers,
            )
        )
        return begun

    def find_flying(self, job: Job) -> tuple[Job, ...]:
        """Return the other mails with a calendar part on their way to the recipient of *job*."""
        if not read_message(job).method:
            return ()
        return tuple(
            each
            for each in self.jobs.values()
            if each.id != job.id
            and each.has_begun
            and fold_address(each.email) == fold_address(job.email)
            and read_message(each).method
        )

    def conclude(self, token: str, changed: Job) -> bool:
        """Store the outcome of an attempt if *token* still holds the job."""
        stored = self.jobs.get(changed.id)
        if stored is None or stored.claim != token:
            return False
        self.jobs[changed.id] = changed
        return True

    def note_unrefused(self, job: Job) -> None:
        """Note that the body of *job* may have reached its recipient."""
        assert job.meeting is not None
        address = fold_address(job.email)
        self.may_have.add(address)
        if read_message(job).method == "REQUEST":
            self.unrefused.add((address, job.meeting.invited_count))

    def arrive(self, job: Job) -> None:
        """Put the mail of *job* into the calendars of its recipient, of every kind."""
        message = read_message(job)
        self.received.append(Received(time=self.now, job=job, message=message))
        for variant in Variant:
            key = fold_address(job.email), variant
            self.calendars.setdefault(key, Calendar(variant)).receive(message)

    def find_revisions(self, numbers: Sequence[int]) -> Mapping[int, MeetingRevision]:
        return {number: self.revisions[number] for number in numbers if number in self.revisions}

    def list_due(self) -> list[Job]:
        return [
            job for job in self.jobs.values() if job.state in CLAIMABLE and job.due_time <= self.now
        ]


def choose_policy(chance: random.Random) -> RetryPolicy:
    return RetryPolicy(on_uncertain=chance.choice(list(OnUncertain)), max_attempts=4)
