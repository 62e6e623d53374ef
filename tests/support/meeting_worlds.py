"""A reconciler on real stores with a clock that stands still, and the relay as tests play it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace
from pymongo.database import Database

from gcsched.adapters.mongo.codec import decode, encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.meetings.claimed_meetings import MongoClaimedMeetings
from gcsched.adapters.mongo.meetings.event_meetings import MongoEventMeetings
from gcsched.adapters.mongo.meetings.meeting_jobs import MongoMeetingJobs
from gcsched.adapters.mongo.meetings.store import MongoMeetings
from gcsched.domain.job import CLAIMABLE, Job, State
from gcsched.domain.meetings.acts import Act
from gcsched.domain.meetings.meeting import Meeting
from gcsched.domain.smtp_reply import Kind
from gcsched.usecases.meetings.reconcile import Reconciled, Reconciler
from gcsched.usecases.meetings.unchecked import CheckMeetings
from gcsched.usecases.ports import AdmissionCheck, MeetingJobs, Meetings, admit_always
from gcsched.usecases.wakeups import WakeUps
from tests.support.builders import AN_ACTOR, FixedClock, an_attempt
from tests.support.clocks import SECOND
from tests.support.rows import Row
from tests.support.stored_meetings import RULES, a_planned_meeting
from tests.support.wakeups import FakeWakeUpQueue

RETENTION = timedelta(days=36500)  # the tests play in a past that MongoDB would delete
WITHIN = 10 * SECOND


@dataclass(kw_only=True)
class MeetingWorld:
    """One process, with its *clock*; *raw* is the database, as the driver sees it.

    *meetings* and *jobs* are what the reconciler uses: a test may put something between.
    """

    mongo: Mongo
    raw: Database[Row]
    clock: FixedClock = field(default_factory=FixedClock)
    queue: FakeWakeUpQueue = field(default_factory=FakeWakeUpQueue)
    invited: list[Job] = field(default_factory=list)
    check_admission: AdmissionCheck = admit_always
    meetings: Meetings = field(init=False)
    jobs: MeetingJobs = field(init=False)
    store: MongoMeetings = field(init=False)
    wake_ups: WakeUps = field(init=False)

    def __post_init__(self) -> None:
        self.meetings = self.store = MongoMeetings(mongo=self.mongo, retention=RETENTION)
        self.wake_ups = WakeUps(queue=self.queue, nudge=lambda: None, now=self.clock)
        self.jobs = MongoMeetingJobs(mongo=self.mongo, retention=RETENTION)

    @property
    def reconciler(self) -> Reconciler:
        return Reconciler(
            meetings=self.meetings,
            jobs=self.jobs,
            rules=RULES,
            wake_ups=self.wake_ups,
            now=self.clock,
            on_invited=self.invited.append,
            check_admission=self.check_admission,
        )

    @property
    def claimed(self) -> MongoClaimedMeetings:
        return MongoClaimedMeetings(
            mongo=self.mongo,
            event_meetings=MongoEventMeetings(mongo=self.mongo, retention=RETENTION),
        )

    async def create(self, count: int = 1, **others: Any) -> Meeting:
        """Store a meeting as a call does that ends before its mails are made."""
        return await self.store.insert(a_planned_meeting(count, **others), within=WITHIN)

    async def change(self, changed: Meeting) -> None:
        """Store *changed* in place of the meeting before it."""
        seen = replace(await self.find(), version=changed.version - 1)
        assert await self.store.replace(seen, changed, within=WITHIN)

    async def reconcile(self, meeting_id: str = "meeting-1") -> Reconciled:
        done = await self.reconciler.reconcile(meeting_id, within=WITHIN)
        assert done is not None
        return done

    async def sweep(self) -> int:
        """Make the sweep's look at the meetings that are due for a check."""
        checks = CheckMeetings(meetings=self.meetings, reconciler=self.reconciler, now=self.clock)
        return await checks.check()

    async def find(self) -> Meeting:
        meeting = await self.store.find("meeting-1")
        assert meeting is not None
        return meeting

    @property
    def act(self) -> Act:
        return Act(actor=AN_ACTOR, now=self.clock())

    def list_jobs(self, **query: Any) -> list[Job]:
        """Return the jobs by address; those of one attendee in the order of their due times."""
        return [decode(row) for row in self.raw["jobs"].find(query).sort(["email", "due", "_id"])]

    def put(self, *jobs: Job) -> None:
        """Store *jobs* as they are, whatever was stored."""
        for job in jobs:
            self.raw["jobs"].replace_one({"_id": job.id}, encode(job), upsert=True)

    def claim(self, job: Job, *, begun: datetime | None = None) -> Job:
        """Have a process claim *job*, and begin its body."""
        job = replace(
            job, state=State.SENDING, claim="claim-1", begun=begun, version=job.version + 1
        )
        self.put(job)
        return job

    def end(self, job: Job, kind: Kind = Kind.ACCEPTED) -> Job:
        """Have the relay answer the mail of *job*: accepted, refused, or not known."""
        claimed = replace(job, state=State.SENDING, version=job.version + 1)
        attempt = an_attempt(
            kind=kind, start_time=self.clock(), end_time=self.clock(), date=self.clock()
        )
        match kind:
            case Kind.ACCEPTED:
                ended = claimed.sent(attempt)
            case Kind.UNCERTAIN:
                ended = claimed.held(attempt, reason="the reply was lost")
            case _:
                ended = claimed.failed(attempt, reason="550 no such user")
        self.put(ended)
        return ended

    def send_due(self) -> list[Job]:
        """Have the relay accept all mails that are due."""
        due = [job for job in self.list_jobs() if job.state in CLAIMABLE]
        return [self.end(job) for job in due if job.due_time <= self.clock()]

    def advance(self, by: timedelta) -> None:
        self.clock.advance(by)


def list_mails(jobs: Sequence[Job]) -> list[tuple[str, str, int, str]]:
    """Return recipient, purpose, SEQUENCE and state of each mail, in order."""
    return sorted(
        (job.email, str(job.meeting.purpose), job.meeting.revision.sequence, str(job.state))
        for job in jobs
        if job.meeting is not None
    )
