"""Limits of jobs on real stores. Oracle: the jobs that the driver finds, and arithmetic."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace
from pymongo.collection import Collection
from pymongo.database import Database

from gcsched.adapters.mongo import usage
from gcsched.adapters.mongo.admissions import MongoAdmissions
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.recipient_writer import MongoRecipients
from gcsched.adapters.mongo.usage import MongoUsage
from gcsched.domain.access import ANYONE, Client
from gcsched.domain.client_limits import Limit
from gcsched.domain.dedup import AdmissionAnswer, AdmissionOutcome, Dedup, DedupRule
from gcsched.domain.job import Job
from gcsched.errors import (
    AdmissionClosed,
    ClientLimit,
    GcschedError,
    InvalidRequest,
    StoreRefused,
    StoreUnavailable,
)
from gcsched.usecases.admission.day_uses import MAX_RESERVE, PLENTY, DayUses
from gcsched.usecases.admission.job_factory import JobFactory, Submission
from gcsched.usecases.admission.quotas import Quotas
from gcsched.usecases.admission.recipient_writer import RecipientWriter
from gcsched.usecases.admission.submit import AdmissionWriter
from gcsched.usecases.admission.waiting_jobs import WaitingJobs
from gcsched.usecases.ports import DayGrant
from gcsched.usecases.wakeups import WakeUps
from tests.support.background import in_background
from tests.support.builders import NOW, FixedClock, a_client, a_job_factory, a_request
from tests.support.clocks import DAY, SECOND, FakeMonotonicClock
from tests.support.rows import Row
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


@pytest.fixture(autouse=True)
def _keep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the counts: the real MongoDB of a test deletes what was due before this year."""
    monkeypatch.setattr(usage, "RETENTION", timedelta(days=50_000))


@pytest.fixture
def process(mongo: Mongo, clock: FixedClock) -> Process:
    return make_process(mongo, clock)


@asynccontextmanager
async def another_process(mongo_uri: str, now: FixedClock) -> AsyncIterator[Process]:
    async with open_mongo(mongo_uri) as mongo:
        yield make_process(mongo, now)


@pytest.fixture
def used(raw: Database[Row]) -> Callable[[], dict[str, int]]:
    return lambda: {row["_id"]: row["jobs"] for row in raw["usage"].find()}


Used = Callable[[], dict[str, int]]
CREATED, REPLAYED, FULL = "CREATED", "REPLAYED", "jobs_per_day"
ID = "payroll:2026-07-01"


async def test_a_day_has_as_many_jobs_as_its_limit(
    process: Process, jobs: Collection[Row], used: Used
) -> None:
    client = a_client(jobs_per_day=3)

    assert await process.schedule(client, "a", "b") == [CREATED, CREATED]
    assert await process.schedule(client, "c", "d") == [CREATED, FULL]
    assert await process.schedule(client, "e") == [FULL]

    assert {row["message"] for row in jobs.find()} == {"a", "b", "c"}
    assert used() == {"payroll:2026-07-01": 3}
    assert process.recorded.refused == {("payroll", Limit.JOBS_PER_DAY): 2}
    assert process.recorded.used["payroll", Limit.JOBS_PER_DAY] == (3, 3)


async def test_the_next_day_of_utc_has_its_own(process: Process, used: Used) -> None:
    client = a_client(jobs_per_day=1)
    await process.schedule(client, "a")

    process.now.now = NOW.replace(hour=23, minute=59, second=59)
    [result] = await process.writer.write([process.submission(client, message="b")])
    assert isinstance(result.answer, ClientLimit)
    assert result.answer.retry_after == SECOND

    process.now.advance(result.answer.retry_after)
    assert await process.schedule(client, "b") == [CREATED]
    assert used() == {"payroll:2026-07-01": 1, "payroll:2026-07-02": 1}


async def test_repeated_calls_get_their_job_also_when_nothing_is_left(
    process: Process, used: Used
) -> None:
    client = a_client(jobs_per_day=2)
    await process.schedule(client, "a", "b")
    process.monotonic.now += 60

    assert await process.schedule(client, "a") == [REPLAYED]
    assert await process.schedule(client, "c", "b", "a") == [FULL, REPLAYED, REPLAYED]
    assert used() == {"payroll:2026-07-01": 2}


async def test_equal_requests_of_one_group_need_one_place(process: Process, used: Used) -> None:
    client = a_client(jobs_per_day=1)

    assert sorted(await process.schedule(client, "a", "a", "a")) == [CREATED, REPLAYED, REPLAYED]
    assert await process.schedule(client, "b", "b") == [FULL, FULL]
    assert used() == {"payroll:2026-07-01": 1}


async def test_duplicates_are_given_back_where_plenty_is_left(process: Process, used: Used) -> None:
    client = a_client(jobs_per_day=10_000)
    await process.schedule(client, "a")
    lookups = process.admissions.lookups

    assert await process.schedule(client, "a", "b", "a") == [REPLAYED, CREATED, REPLAYED]

    assert process.admissions.lookups == lookups
    assert used()[ID] - process.quotas.uses.read_reserve("payroll", NOW.date()) == 2


async def test_refused_duplicates_and_reused_ids_are_given_back(
    mongo: Mongo, clock: FixedClock, used: Used
) -> None:
    by_employee = DedupRule(by=Dedup.EMPLOYEE, window=timedelta(hours=1))
    process, client = make_process(mongo, clock, dedup=by_employee), a_client(jobs_per_day=9_000)
    first = process.submission(client, empid="E1", request_id="R")
    await process.write(first)

    group = [
        process.submission(client, empid="E1", message="again"),
        process.submission(client, empid="E2", request_id="R"),
        process.submission(client, empid="E3"),
    ]

    assert await process.write(*group) == ["REFUSED_DUPLICATE", "RequestIdReused", CREATED]
    assert used()[ID] - process.quotas.uses.read_reserve("payroll", NOW.date()) == 2


async def test_late_requests_find_their_job_and_need_no_place(process: Process, used: Used) -> None:
    client = a_client(jobs_per_day=1)
    not_after = int(NOW.timestamp()) + 60
    await process.write(process.submission(client, not_after=not_after))
    process.now.advance(timedelta(hours=1))

    late = process.submission(client, not_after=not_after)
    other = process.submission(client, not_after=not_after, message="other")

    assert await process.write(late, other) == [REPLAYED, InvalidRequest.__name__]
    assert used() == {"payroll:2026-07-01": 1}


async def test_each_client_of_a_group_has_its_own_limit(
    process: Process, jobs: Collection[Row], used: Used
) -> None:
    payroll, hr = a_client("payroll", jobs_per_day=1), a_client("hr", jobs_per_day=2)
    unlimited = a_client("it", templates=("doc",))
    clients = [payroll, hr, unlimited, ANYONE, payroll, hr, unlimited, hr]
    group = [
        process.submission(each, message=f"mail {number}") for number, each in enumerate(clients)
    ]

    assert await process.write(*group) == [CREATED] * 4 + [FULL, CREATED, CREATED, FULL]
    assert used() == {"payroll:2026-07-01": 1, "hr:2026-07-01": 2}
    assert Counter(row.get("client") for row in jobs.find()) == {
        "payroll": 1,
        "hr": 2,
        "it": 2,
        None: 1,
    }


async def test_without_limits_nothing_is_counted_or_looked_up(process: Process, used: Used) -> None:
    group = [process.submission(each) for each in (ANYONE, a_client("it", calls_per_second=1))]

    await process.write(*group)

    assert not process.usage.statements
    assert process.admissions.lookups == 0
    assert used() == {}
    assert process.quotas.open(group) is None


async def test_where_plenty_is_left_a_hundred_jobs_share_a_statement(
    process: Process, used: Used
) -> None:
    client = a_client(jobs_per_day=100_000)

    for number in range(102):
        assert await process.schedule(client, f"mail {number}") == [CREATED]

    assert process.usage.statements == {"reserve": 2}
    assert used() == {ID: 2 + MAX_RESERVE}


async def test_the_reserve_is_given_back_near_the_limit(
    process: Process, mongo_uri: str, clock: FixedClock, jobs: Collection[Row], used: Used
) -> None:
    client, mails = a_client(jobs_per_day=PLENTY + 600), iter(range(10**6))

    async def schedule(at: Process, count: int) -> Counter[str]:
        return Counter(await at.schedule(client, *[f"{next(mails)}" for _ in range(count)]))

    async with another_process(mongo_uri, clock) as other:
        for _ in range(2):
            for each in (process, other):
                await schedule(each, 50)
        assert process.quotas.uses.read_reserve("payroll", NOW.date())
        for _ in range(3):
            for each in (process, other):
                await schedule(each, 500)

    assert jobs.count_documents({}) == PLENTY + 600
    assert used() == {ID: PLENTY + 600}


async def test_a_lower_limit_ends_the_reserve(process: Process, used: Used) -> None:
    client = a_client(jobs_per_day=100_000)
    for name in "ab":
        await process.schedule(client, name)

    lower = a_client(jobs_per_day=50)
    assert await process.schedule(lower, "c", "a") == [FULL, REPLAYED]
    assert used() == {ID: 2}
    assert await process.schedule(lower, "c", "d") == [CREATED, CREATED]


async def test_1_000_concurrent_calls_at_two_processes_admit_exactly_the_limit(
    process: Process, mongo_uri: str, clock: FixedClock, jobs: Collection[Row], used: Used
) -> None:
    client = a_client(jobs_per_day=100)

    async def call(at: Process, start: int) -> list[str]:
        outcomes = []
        for group in range(start, 1_000, 50):
            names = [f"mail {number}" for number in range(group, group + 25)]
            outcomes += await at.schedule(client, *names)
        return outcomes

    async with another_process(mongo_uri, clock) as other:
        outcomes = await asyncio.gather(call(process, 0), call(other, 25))

    counted = Counter([*outcomes[0], *outcomes[1]])
    assert counted == {CREATED: 100, FULL: 900}
    assert jobs.count_documents({}) == 100
    assert used() == {"payroll:2026-07-01": 100}


async def test_a_full_day_is_asked_about_once_a_second(process: Process) -> None:
    client = a_client(jobs_per_day=1)
    await process.schedule(client, "a")
    statements = process.usage.statements

    for name in "bcd":
        assert await process.schedule(client, name) == [FULL]
    assert statements == {"reserve": 1}

    process.monotonic.now += 1
    assert await process.schedule(client, "e") == [FULL]
    assert statements == {"reserve": 2}


async def test_a_process_killed_between_reserving_and_inserting_only_loses_places(
    process: Process, mongo_uri: str, clock: FixedClock, jobs: Collection[Row]
) -> None:
    client = a_client(jobs_per_day=3)
    reserved = process.quotas.open([process.submission(client, message="never stored")])
    assert reserved is not None
    await reserved.make(timedelta(seconds=30))  # and the process is gone

    async with another_process(mongo_uri, clock) as other:
        assert await other.schedule(client, "a", "b", "c") == [CREATED, CREATED, FULL]

    assert jobs.count_documents({}) == 2


async def test_a_store_that_did_not_confirm_keeps_the_places(process: Process, used: Used) -> None:
    client = a_client(jobs_per_day=3)

    def fail() -> None:
        raise StoreUnavailable("storing the job")

    process.admissions.fail_after = fail
    with pytest.raises(StoreUnavailable):
        await process.write(process.submission(client, seconds=0.05, message="a"))

    # The job is stored, so its place must not be given to another.
    assert used() == {"payroll:2026-07-01": 1}
    process.admissions.fail_after = lambda: None
    assert await process.schedule(client, "a", "b", "c", "d") == [REPLAYED, CREATED, CREATED, FULL]


async def test_what_mongodb_refused_is_given_back(process: Process, used: Used) -> None:
    client = a_client(jobs_per_day=3)

    def refuse() -> None:
        raise StoreRefused("storing the job", "validation", "a rule forbids it")

    process.admissions.fail = refuse
    with pytest.raises(StoreRefused):
        await process.write(process.submission(client, seconds=0.05, message="a"))

    assert used() == {"payroll:2026-07-01": 0}


async def test_a_refusal_after_a_doubtful_try_gives_nothing_back(
    process: Process, used: Used
) -> None:
    client = a_client(jobs_per_day=3)
    errors = [
        StoreRefused("storing the job", "validation", "a rule forbids it"),
        StoreUnavailable("storing the job"),
    ]

    def fail() -> None:
        raise errors.pop()

    process.admissions.fail = fail
    with pytest.raises(StoreRefused):
        await process.write(process.submission(client, seconds=0.58, message="a"))

    assert used() == {"payroll:2026-07-01": 1}


async def test_nothing_is_reserved_while_no_request_can_be_accepted(
    process: Process, used: Used
) -> None:
    async def refuse_all() -> None:
        raise AdmissionClosed("an index is damaged")

    process.writer = AdmissionWriter(
        admissions=process.admissions,
        wake_ups=process.writer.wake_ups,
        recipients=process.writer.recipients,
        check_admission=refuse_all,
        quotas=process.quotas,
    )
    with pytest.raises(AdmissionClosed):
        await process.schedule(a_client(jobs_per_day=3), "a")

    assert used() == {}


async def test_counts_that_mongodb_refuses_stop_that_client_only(
    process: Process, jobs: Collection[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any, **__: Any) -> DayGrant:
        raise StoreRefused("reserving jobs", "validation", "a rule forbids it")

    monkeypatch.setattr(process.usage, "reserve", refuse)
    group = [
        process.submission(a_client(jobs_per_day=3), message="a"),
        process.submission(ANYONE, message="b"),
    ]

    assert await process.write(*group) == ["StoreRefused", CREATED]
    assert [row["message"] for row in jobs.find()] == ["b"]


async def test_a_reservation_that_fails_costs_no_other_client_its_places(
    process: Process, used: Used, monkeypatch: pytest.MonkeyPatch
) -> None:
    payroll, hr, reserve = (
        a_client(jobs_per_day=2),
        a_client("hr", jobs_per_day=2),
        MongoUsage.reserve,
    )

    async def fail_for_hr(_: MongoUsage, client: str, *arguments: Any, **others: Any) -> DayGrant:
        if client == "hr":
            raise StoreUnavailable("reserving jobs of a client")
        return await reserve(process.usage, client, *arguments, **others)

    group = [process.submission(each, seconds=0.05) for each in (payroll, hr)]
    with monkeypatch.context() as patch:
        patch.setattr(MongoUsage, "reserve", fail_for_hr)
        with pytest.raises(StoreUnavailable):
            await process.write(*group)
    assert used() == {ID: 1}

    assert await process.schedule(payroll, "a", "b", "c") == [CREATED, CREATED, FULL]
    assert used() == {ID: 2}


async def test_waiting_jobs_are_limited(process: Process, jobs: Collection[Row]) -> None:
    client = a_client(jobs_waiting=2)

    assert await process.schedule(client, "a") == [CREATED]
    assert await process.schedule(client, "a", "b", "c") == [REPLAYED, CREATED, "jobs_waiting"]
    assert await process.schedule(client, "b", "c") == [REPLAYED, "jobs_waiting"]
    assert process.usage.statements == {"count_waiting": 1}

    jobs.update_one({"message": "a"}, {"$set": {"state": "SENT"}})
    assert await process.schedule(client, "c") == ["jobs_waiting"]
    process.monotonic.now += 1
    assert await process.schedule(client, "c", "d") == [CREATED, "jobs_waiting"]
    assert process.recorded.used["payroll", Limit.JOBS_WAITING] == (2, 2)
    assert process.recorded.refused == {("payroll", Limit.JOBS_WAITING): 4}


async def test_another_process_is_seen_after_a_second(
    process: Process, mongo_uri: str, clock: FixedClock
) -> None:
    client = a_client(jobs_waiting=3)
    await process.schedule(client, "a")

    async with another_process(mongo_uri, clock) as other:
        assert await other.schedule(client, "b", "c") == [CREATED, CREATED]
        # One second's admission over: this process does not know of them yet.
        assert await process.schedule(client, "d", "e") == [CREATED, CREATED]
        other.monotonic.now += 1
        assert await other.schedule(client, "f") == ["jobs_waiting"]

    process.monotonic.now += 1
    assert await process.schedule(client, "g") == ["jobs_waiting"]


async def test_the_narrower_of_two_limits_is_named(process: Process, used: Used) -> None:
    assert await process.schedule(a_client(jobs_per_day=1, jobs_waiting=2), "a", "b", "c") == [
        CREATED,
        "jobs_per_day",
        "jobs_per_day",
    ]
    hr = a_client("hr", jobs_per_day=2, jobs_waiting=1)
    assert await process.schedule(hr, "d", "e") == [CREATED, "jobs_waiting"]
    assert used() == {"payroll:2026-07-01": 1, "hr:2026-07-01": 1}


async def test_a_count_that_takes_long_is_made_less_often(process: Process) -> None:
    client = a_client(jobs_waiting=100)
    process.usage.on_count = partial(process.monotonic.advance, 0.5)
    await process.schedule(client, "a")
    process.monotonic.now += 9
    await process.schedule(client, "b")
    assert process.usage.statements["count_waiting"] == 1

    process.monotonic.now += 1
    await process.schedule(client, "c")
    assert process.usage.statements["count_waiting"] == 2


async def test_a_preview_says_what_a_request_would_get_and_reserves_nothing(
    process: Process, used: Used
) -> None:
    client = a_client(jobs_per_day=2, jobs_waiting=5)
    await process.schedule(client, "a")
    group = [process.submission(client, message=name) for name in ("a", "b", "b", "c")]
    within = timedelta(seconds=30)
    made = [each.job for each in group]
    found = await process.admissions.dry_run(made, within=within)

    errors = await process.quotas.preview(client, made, found, within=within)

    assert {job_id: each.metadata["limit"] for job_id, each in errors.items()} == {
        made[3].id: "jobs_per_day"
    }
    known = await process.quotas.preview(client, made[:1], found[:1], within=within)
    assert known == {}
    assert used() == {"payroll:2026-07-01": 1}
    assert not process.recorded.refused


async def test_changed_limits_count_for_the_whole_group(process: Process) -> None:
    before, after = a_client(jobs_per_day=1), a_client(jobs_per_day=2)
    group = [
        process.submission(before, message="a"),
        process.submission(after, message="b"),
        process.submission(replace(after, note="read again"), message="c"),
    ]

    assert await process.write(*group) == [CREATED, CREATED, FULL]


async def test_a_day_that_changes_within_a_process_is_reserved_anew(process: Process) -> None:
    client = a_client(jobs_per_day=PLENTY + 10)
    await process.schedule(client, "a")
    process.now.advance(DAY)
    lookups = process.admissions.lookups

    assert await process.schedule(client, "b") == [CREATED]
    assert await process.schedule(client, "c") == [CREATED]

    assert process.admissions.lookups == lookups + 1
    assert AdmissionOutcome.CREATED == CREATED


async def test_a_process_that_stops_gives_its_reserve_back(process: Process, used: Used) -> None:
    client = a_client(jobs_per_day=PLENTY * 10)
    await process.schedule(client, "a")
    await process.schedule(client, "b")
    before = used()

    async with in_background(process.quotas.run):
        pass
    async with in_background(process.quotas.run):
        pass

    assert before == {"payroll:2026-07-01": 2 + MAX_RESERVE}
    assert used() == {"payroll:2026-07-01": 2}
