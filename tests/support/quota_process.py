"""A process that admits jobs of clients with limits, on real stores."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from gcsched.adapters.mongo.admissions import MongoAdmissions
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.meetings.event_meetings import MongoEventMeetings
from gcsched.adapters.mongo.recipient_writer import MongoRecipients
from gcsched.adapters.mongo.usage import MongoUsage
from gcsched.domain.access import Client
from gcsched.domain.client_limits import Limit
from gcsched.domain.dedup import AdmissionAnswer
from gcsched.domain.job import Job
from gcsched.errors import (
    GcschedError,
)
from gcsched.usecases.admission.day_uses import DayUses
from gcsched.usecases.admission.job_factory import JobFactory, Submission
from gcsched.usecases.admission.meeting_writer import MeetingWriter
from gcsched.usecases.admission.quotas import Quotas
from gcsched.usecases.admission.recipient_writer import RecipientWriter
from gcsched.usecases.admission.submit import AdmissionWriter
from gcsched.usecases.admission.waiting_jobs import WaitingJobs
from gcsched.usecases.ports import DayGrant
from gcsched.usecases.wakeups import WakeUps
from tests.support.builders import FixedClock, a_job_factory, a_request
from tests.support.clocks import FakeMonotonicClock
from tests.support.wakeups import NoWakeUpQueue, Nudges

SOON = 30.0


@dataclass
class CountingUsage(MongoUsage):
    """Counts the statements."""

    statements: Counter[str] = field(default_factory=Counter)
    on_count: Callable[[], None] = lambda: None

    async def reserve(self, *arguments: Any, **others: Any) -> DayGrant:
        self.statements["reserve"] += 1
        return await super().reserve(*arguments, **others)

    async def give_back(self, *arguments: Any, **others: Any) -> None:
        self.statements["give_back"] += 1
        await super().give_back(*arguments, **others)

    async def count_waiting(self, *arguments: Any, **others: Any) -> int:
        self.statements["count_waiting"] += 1
        self.on_count()
        return await super().count_waiting(*arguments, **others)


@dataclass
class CountingAdmissions:
    """Real admissions; counts the look-ups, and fails as a test wants."""

    real: MongoAdmissions
    lookups: int = 0
    fail: Callable[[], None] = lambda: None
    fail_after: Callable[[], None] = lambda: None

    async def admit(self, jobs: Sequence[Job], *, within: timedelta) -> list[AdmissionAnswer]:
        self.fail()
        answers = await self.real.admit(jobs, within=within)
        self.fail_after()
        return answers

    async def dry_run(self, jobs: Sequence[Job], *, within: timedelta) -> list[AdmissionAnswer]:
        self.lookups += 1
        return await self.real.dry_run(jobs, within=within)


@dataclass(kw_only=True)
class Process:
    """What one process needs to admit jobs of clients."""

    usage: CountingUsage
    admissions: CountingAdmissions
    quotas: Quotas
    writer: AdmissionWriter
    now: FixedClock
    monotonic: FakeMonotonicClock
    factory: JobFactory
    recorded: "Recorded"

    def submission(self, client: Client, seconds: float = SOON, **request: Any) -> Submission:
        deadline = asyncio.get_running_loop().time() + seconds
        raw = a_request(**request)
        made = self.factory.create_submission(raw, now=self.now(), deadline=deadline, client=client)
        assert isinstance(made, Submission), made
        return made

    async def write(self, *group: Submission) -> list[str]:
        """Write *group*; return the outcome of each, or the limit that it exceeds."""
        results = await self.writer.write(group)
        answers = [each.answer(result.answer) for each, result in zip(group, results, strict=True)]
        return [
            answer.metadata.get("limit", type(answer).__name__)
            if isinstance(answer, GcschedError)
            else str(answer.outcome)
            for answer in answers
        ]

    async def schedule(self, client: Client, *names: str) -> list[str]:
        """Write a group of requests, one for each of *names*, which make them different."""
        return await self.write(*[self.submission(client, message=name) for name in names])


@dataclass
class Recorded:
    """A LimitObserver that keeps what it gets."""

    used: dict[tuple[str, Limit], tuple[int, int]] = field(default_factory=dict)
    refused: Counter[tuple[str, Limit]] = field(default_factory=Counter)

    def on_usage(self, client: str, limit: Limit, used: int, most: int) -> None:
        self.used[client, limit] = (used, most)

    def on_limit(self, client: str, limit: Limit) -> None:
        self.refused[client, limit] += 1


def make_process(mongo: Mongo, now: FixedClock, **factory: Any) -> Process:
    usage, recorded = CountingUsage(mongo=mongo), Recorded()
    admissions = CountingAdmissions(MongoAdmissions(mongo=mongo))
    monotonic = FakeMonotonicClock()
    waiting = WaitingJobs(usage=usage, observer=recorded, clock=monotonic)
    quotas = Quotas(
        usage=usage,
        admissions=admissions,
        now=now,
        waiting=waiting,
        observer=recorded,
        uses=DayUses(clock=monotonic),
    )
    writer = AdmissionWriter(
        admissions=admissions,
        wake_ups=WakeUps(queue=NoWakeUpQueue(), nudge=Nudges(), now=now),
        recipients=RecipientWriter(store=MongoRecipients(mongo=mongo)),
        meetings=MeetingWriter(store=MongoEventMeetings(mongo=mongo, retention=timedelta(days=30))),
        quotas=quotas,
    )
    return Process(
        usage=usage,
        admissions=admissions,
        quotas=quotas,
        writer=writer,
        now=now,
        monotonic=monotonic,
        factory=a_job_factory(**factory),
        recorded=recorded,
    )


@asynccontextmanager
async def another_process(mongo_uri: str, now: FixedClock) -> AsyncIterator[Process]:
    async with open_mongo(mongo_uri) as mongo:
        yield make_process(mongo, now)


Used = Callable[[], dict[str, int]]
CREATED, REPLAYED, FULL = "CREATED", "REPLAYED", "jobs_per_day"
ID = "payroll:2026-07-01"
