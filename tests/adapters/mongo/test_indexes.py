"""Every statement uses an index (P8). Oracle: the server's own profile of the adapters."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from pymongo.collection import Collection
from pymongo.database import Database

from gcsched.adapters.mongo import suppressions
from gcsched.adapters.mongo.admissions import MongoAdmissions
from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.index_names import CLIENT_INDEXES
from gcsched.adapters.mongo.index_repair import MongoIndexes
from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.adapters.mongo.job_reader import MongoJobList, MongoJobReader
from gcsched.adapters.mongo.outcomes import MongoOutcomes
from gcsched.adapters.mongo.recovery import MongoRecovery
from gcsched.adapters.mongo.runs import MongoRuns
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.domain.job import Job, Priority, State
from gcsched.domain.job_list import JobFilter, JobListQuery, JobOrder
from gcsched.domain.outcome import apply_lease_expiration
from gcsched.domain.retry import RetryPolicy
from gcsched.domain.smtp_reply import Kind
from gcsched.errors import StoreRefused
from gcsched.usecases.ports import Conclusion
from tests.support.builders import a_job, a_suppression, an_attempt, is_new
from tests.support.clocks import SECOND
from tests.support.mongo_profile import Use, profile_commands, stages
from tests.support.rows import Row
from tests.support.wait import until

NOW = datetime(2025, 7, 1, 12, tzinfo=UTC)  # past for every server, whose clock decides
RETENTION = timedelta(days=30)
ACCEPTED = an_attempt(kind=Kind.ACCEPTED, code=250)
SENT, OVERDUE, AHEAD, RETRYING, CLAIMED, QUEUED = 2000, 600, 600, 300, 300, 200
PER_TOKEN = 30
SUPPRESSED = 1000


@pytest.fixture
def mongo_uri(new_mongo_uri: str) -> str:
    return new_mongo_uri


def some_jobs(count: int, kind: str, *, due: datetime = NOW, **others: Any) -> Iterator[Job]:
    """Make *count* jobs, each due a second after the one before."""
    for number in range(count):
        name = f"{kind}-{number}"
        due_time = due + number * SECOND
        yield a_job(id=name, dedup_key=f"key {name}", due_time=due_time, **others)


def all_rows() -> Iterator[Row]:
    """Make the jobs of a busy day: most are sent, many wait, some are being sent."""
    for job in some_jobs(SENT, "sent", state=State.SENT, due=NOW - timedelta(days=1)):
        yield encode(job) | {"delete_after": datetime.now(UTC) + RETENTION}
    for job in some_jobs(OVERDUE, "overdue", due=NOW - OVERDUE * SECOND):
        yield encode(job)
    for job in some_jobs(AHEAD, "ahead", due=NOW + SECOND):
        yield encode(job)
    for job in some_jobs(RETRYING, "retrying", state=State.RETRYING, due=NOW - 100 * SECOND):
        yield encode(job)
    for job in some_jobs(QUEUED, "queued", state=State.QUEUED, due=NOW - 100 * SECOND):
        yield encode(job)
    for number, job in enumerate(some_jobs(CLAIMED, "claimed", state=State.SENDING, version=1)):
        lease = NOW if number % 6 == 0 else datetime.now(UTC) + timedelta(hours=1)
        begun = {"begun": NOW} if number % 2 else {}
        yield encode(replace(job, claim=f"token-{number // PER_TOKEN}")) | {"lease": lease} | begun


def rows_with_keys() -> Iterator[Row]:
    for number, job in enumerate(some_jobs(100, "named", state=State.SENT)):
        yield encode(replace(job, request_id=f"R{number}"))
    for number, job in enumerate(some_jobs(100, "client", state=State.SENT)):
        own = {"dedup_key": f"~hr:client-{number}", "request_id": f"C{number}", "client": "hr"}
        yield encode(replace(job, **own))
    for number, job in enumerate(some_jobs(100, "windowed", state=State.SENT)):
        yield encode(replace(job, dedup_key=f"window {number}", dedup_until=NOW))


def urgent_rows() -> Iterator[Row]:
    for kind, due in (("urgent", NOW - 40 * SECOND), ("urgent ahead", NOW + SECOND)):
        for job in some_jobs(40, kind, due=due, priority=Priority.URGENT):
            yield encode(job)
    for job in some_jobs(400, "was urgent", state=State.SENT, priority=Priority.URGENT):
        yield encode(job)


def suppression_rows() -> Iterator[Row]:
    for number in range(SUPPRESSED):
        until = datetime.now(UTC) + RETENTION
        suppression = a_suppression(
            address=f"{number}@example.org", create_time=NOW, expire_time=until
        )
        yield suppressions.encode(suppression)


async def claim(mongo: Mongo) -> None:
    batch = await MongoClaims(mongo=mongo).claim("new", 64, now=NOW)
    assert len(batch.jobs) == 64


async def claim_urgent(mongo: Mongo) -> None:
    batch = await MongoClaims(mongo=mongo).claim("new", 64, now=NOW, urgent_only=True)
    assert len(batch.jobs) == 40


async def begin(mongo: Mongo) -> None:
    ids = [f"claimed-{number}" for number in range(PER_TOKEN, 2 * PER_TOKEN)]
    assert len(await MongoClaims(mongo=mongo).begin("token-1", ids, date=NOW)) == PER_TOKEN


async def begin_partly_lost(mongo: Mongo) -> None:
    ids = [f"claimed-{number}" for number in range(PER_TOKEN - 5, 2 * PER_TOKEN)]
    assert len(await MongoClaims(mongo=mongo).begin("token-1", ids, date=NOW)) == PER_TOKEN


async def renew(mongo: Mongo) -> None:
    await MongoClaims(mongo=mongo).renew(["token-1", "token-2"])


async def has_due_jobs(mongo: Mongo) -> None:
    assert await MongoClaims(mongo=mongo).has_due_jobs(now=NOW)


async def admit_duplicates(mongo: Mongo) -> None:
    jobs = [replace(job, id=f"again {job.id}") for job in some_jobs(200, "sent")]
    answers = await MongoAdmissions(mongo=mongo).admit(jobs, within=5 * SECOND)
    assert not any(is_new(answer) for answer in answers)


async def admit_request_ids_again(mongo: Mongo) -> None:
    """The holders are found by their request ids: their dedup keys are those of another mode."""
    jobs = [a_job(id=f"again {n}", dedup_key=f"else {n}", request_id=f"R{n}") for n in range(100)]
    answers = await MongoAdmissions(mongo=mongo).admit(jobs, within=5 * SECOND)
    assert not any(is_new(answer) for answer in answers)


async def admit_calls_of_clients_again(mongo: Mongo) -> None:
    """Their keys are found, and those of the same calls from callers without a name."""
    jobs = [a_job(id=f"new {n}", dedup_key=f"~hr:client-{n}", client="hr") for n in range(50)]
    jobs += [a_job(id=f"newer {n}", dedup_key=f"~hr:key sent-{n}", client="hr") for n in range(50)]
    answers = await MongoAdmissions(mongo=mongo).admit(jobs, within=5 * SECOND)
    assert not any(is_new(answer) for answer in answers)


async def admit_request_ids_of_clients_again(mongo: Mongo) -> None:
    """The clients hold C0 to C49, and callers without a name R0 to R99."""
    ids = [f"C{number}" for number in range(50)] + [f"R{number}" for number in range(50)]
    jobs = [a_job(id=f"new {n}", dedup_key=f"~hr:{n}", client="hr", request_id=n) for n in ids]
    answers = await MongoAdmissions(mongo=mongo).admit(jobs, within=5 * SECOND)
    assert not any(is_new(answer) for answer in answers)


async def retry_jobs_of_other_callers(mongo: Mongo) -> None:
    """Each key is held: of a client's job by a caller without a name, and the other way round."""
    changes = MongoJobChanges(mongo=mongo, retention=RETENTION)
    retried = [
        a_job(
            id="f1", state=State.FAILED, dedup_key=None, released_key="~hr:key sent-1", client="hr"
        ),
        a_job(id="f2", state=State.FAILED, dedup_key=None, released_key="client-1"),
    ]
    pairs = [(job, job.reset_for_retry(NOW, expire_time=NOW, dedup_until=NOW)) for job in retried]
    assert await changes.change_all(pairs) == (0, 0)


async def release_expired_windows(mongo: Mongo) -> None:
    jobs = [
        a_job(id=f"next {n}", dedup_key=f"window {n}", create_time=NOW, dedup_until=NOW + RETENTION)
        for n in range(100)
    ]
    answers = await MongoAdmissions(mongo=mongo).admit(jobs, within=5 * SECOND)
    assert all(is_new(answer) for answer in answers)


async def conclude(mongo: Mongo) -> None:
    conclusions = some_conclusions("token-1", range(PER_TOKEN, 2 * PER_TOKEN))
    assert not await MongoOutcomes(mongo=mongo, retention=RETENTION).conclude(conclusions)


async def conclude_lost(mongo: Mongo) -> None:
    conclusions = some_conclusions("an older token", range(5))
    assert await MongoOutcomes(mongo=mongo, retention=RETENTION).conclude(conclusions)


def some_conclusions(token: str, numbers: range) -> list[Conclusion]:
    kept = [
        a_job(id=f"claimed-{number}", state=State.SENDING, claim=token, version=1)
        for number in numbers
    ]
    return [Conclusion(claim=token, job=job.sent(ACCEPTED)) for job in kept]


def recovery(mongo: Mongo) -> MongoRecovery:
    return MongoRecovery(mongo=mongo, retention=RETENTION, now=lambda: datetime.now(UTC))


async def conclude_orphans(mongo: Mongo) -> None:
    orphans = await recovery(mongo).find_orphans(500)
    policy = RetryPolicy()
    decided = [
        (
            o,
            Conclusion(
                claim=o.claim,
                job=apply_lease_expiration(o.job, begun=o.begun, policy=policy, now=NOW),
            ),
        )
        for o in orphans
    ]
    assert await recovery(mongo).conclude_orphans(decided) == CLAIMED / 6


async def repair(mongo: Mongo) -> None:
    """It reads claimed jobs only, for each of the three kinds."""
    assert await recovery(mongo).repair(500) == 0


async def find_due_seconds(mongo: Mongo) -> None:
    assert len(await recovery(mongo).find_due_seconds(NOW, NOW + 60 * SECOND)) == 60


async def expire_late_jobs(mongo: Mongo) -> None:
    late = await recovery(mongo).find_expired(100)
    ended = [job.skipped(State.EXPIRED, NOW, reason="too late") for job in late]
    assert await recovery(mongo).expire(ended) == 100


async def find_none_expired(mongo: Mongo) -> None:
    early = MongoRecovery(mongo=mongo, retention=RETENTION, now=lambda: NOW)
    assert await early.find_expired(100) == []


async def has_queued(mongo: Mongo) -> None:
    assert await MongoRuns(mongo=mongo).has_queued(until=NOW)


async def move_queued(mongo: Mongo) -> None:
    assert await MongoRuns(mongo=mongo).move_queued(
        until=NOW, now=NOW, not_after=NOW, most=1_000
    ) == (101, 101)


async def find_committed(mongo: Mongo) -> None:
    changes = MongoJobChanges(mongo=mongo, retention=RETENTION)
    assert len(await changes.find_committed([f"sent-{number}" for number in range(9)])) == 9


async def find_claimed(mongo: Mongo) -> None:
    changes = MongoJobChanges(mongo=mongo, retention=RETENTION)
    assert len(await changes.find_claimed(a_job().email)) == CLAIMED


async def add_suppressions(mongo: Mongo) -> None:
    again = [a_suppression(address=f"{number}@example.org") for number in range(20)]
    await MongoSuppressions(mongo=mongo).add(again)


async def find_active_suppressions(mongo: Mongo) -> None:
    """As for a claimed batch, in which few addresses are suppressed."""
    addresses = [f"{number}@example.org" for number in range(0, 20 * SUPPRESSED, SUPPRESSED // 2)]
    assert len(await MongoSuppressions(mongo=mongo).find_active(addresses, now=NOW)) == 2


async def read_one(_: Mongo) -> None:
    assert await MongoJobReader().get("sent-7")


USES = [
    claim,
    claim_urgent,
    begin,
    begin_partly_lost,
    renew,
    has_due_jobs,
    admit_duplicates,
    admit_request_ids_again,
    admit_calls_of_clients_again,
    admit_request_ids_of_clients_again,
    retry_jobs_of_other_callers,
    release_expired_windows,
    conclude,
    conclude_lost,
    find_due_seconds,
    expire_late_jobs,
    find_none_expired,
    has_queued,
    move_queued,
    find_committed,
    find_claimed,
    add_suppressions,
    find_active_suppressions,
    read_one,
]


@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
async def test_every_statement_reads_only_what_it_needs_by_index(
    mongo: Mongo, raw: Database[Row], use: Use
) -> None:
    raw["jobs"].insert_many([*all_rows(), *rows_with_keys(), *urgent_rows()])
    raw["suppressions"].insert_many(list(suppression_rows()))

    profile = await profile_commands(mongo, raw, use)

    assert profile, "nothing was profiled"
    assert [format_profile(each) for each in profile if is_wasteful(each)] == []


async def test_repair_reads_claimed_jobs_only(mongo: Mongo, raw: Database[Row]) -> None:
    raw["jobs"].insert_many(list(all_rows()))

    profile = await profile_commands(mongo, raw, repair)

    assert len(profile) == 3
    assert not [each for each in profile if {"COLLSCAN", "SORT"} & set(stages(each["execStats"]))]
    assert max(each["docsExamined"] for each in profile) <= CLAIMED
    assert max(each["keysExamined"] for each in profile) <= CLAIMED + 1


async def test_the_search_for_expired_leases_reads_claimed_jobs_only(
    mongo: Mongo, raw: Database[Row]
) -> None:
    raw["jobs"].insert_many([*all_rows(), *rows_with_keys(), *urgent_rows()])

    profile = await profile_commands(mongo, raw, conclude_orphans)

    [search] = [each for each in profile if each["op"] == "query"]
    assert not {"COLLSCAN", "SORT"} & set(stages(search["execStats"]))
    assert max(search["docsExamined"], search["keysExamined"]) <= CLAIMED + 1
    writes = [each for each in profile if each is not search]
    assert [format_profile(each) for each in writes if is_wasteful(each)] == []


async def test_a_plan_cached_for_an_empty_collection_is_not_used_later(
    mongo: Mongo, raw: Database[Row]
) -> None:
    """MongoDB caches the plan that won once, and among few jobs any index is as good."""
    for turn in range(5):
        raw["jobs"].insert_one(encode(a_job(id=f"early-{turn}", dedup_key=f"{turn}", due_time=NOW)))
        early = await MongoClaims(mongo=mongo).claim(f"early {turn}", 1, now=NOW)
        await MongoClaims(mongo=mongo).begin(
            f"early {turn}", [job.id for job in early.jobs], date=NOW
        )
    raw["jobs"].insert_many(list(all_rows()))

    profile = await profile_commands(mongo, raw, claim) + await profile_commands(mongo, raw, begin)

    assert [format_profile(each) for each in profile if is_wasteful(each)] == []


def is_wasteful(done: Row) -> bool:
    """Return whether a command scanned, sorted in memory, or read more than twice what it found."""
    # The profile of an aggregation has a summary only, such as "DISTINCT_SCAN { … }".
    plan = stages(done["execStats"]) if "execStats" in done else done["planSummary"].split()
    if {"COLLSCAN", "SORT"} & set(plan):
        return True
    found = count_found(done)
    return max(int(done["keysExamined"]), int(done["docsExamined"])) > 2 * found + 10


def count_found(done: Row) -> int:
    if "distinct" in done["command"]:
        return int(done["execStats"]["nReturned"])
    if done["op"] == "query" and done["ns"].endswith(".suppressions"):
        return len(done["command"]["filter"]["folded"]["$in"])  # a missing one is a result, too
    return int(done.get("nreturned", 0) + done.get("nMatched", 0))


def format_profile(done: Row) -> str:
    examined = (
        f"{done['keysExamined']} keys and {done['docsExamined']} documents for {count_found(done)}"
    )
    return f"{done['op']}: {' < '.join(stages(done['execStats']))}: {examined}"


async def test_prepare_is_safe_to_repeat_and_to_run_in_two_processes(
    mongo: Mongo, another_mongo: Mongo, jobs: Collection[Row]
) -> None:
    jobs.insert_one(encode(a_job()))
    before = jobs.index_information()

    await mongo.prepare()
    await another_mongo.prepare()

    assert jobs.index_information() == before
    assert set(before) == {
        "_id_",
        "dedup_key",
        "request_id",
        "request_id_id",
        "own_request_id_client",
        "own_request_id_id",
        "client_id",
        "client_state_due_id",
        "state_due_id",
        "priority_state_due",
        "claim",
        "empid_id",
        "email_id",
        "folded_id",
        "email_folded",
        "delete_after",
    }
    assert list(jobs.find()) == [encode(a_job())]


@pytest.fixture
async def uncontrolled(raw: Database[Row], new_mongo_uri: str) -> AsyncIterator[Mongo]:
    """A service without access control, on a database that has not been used with it."""
    for name in CLIENT_INDEXES:
        raw["jobs"].drop_index(name)
    async with open_mongo(new_mongo_uri, has_clients=False) as mongo:
        await mongo.prepare()
        yield mongo


async def test_without_access_control_there_are_no_indexes_of_clients(
    uncontrolled: Mongo, raw: Database[Row]
) -> None:
    made = set(raw["jobs"].index_information())

    assert {"dedup_key", "request_id_id"} <= made
    assert not made & CLIENT_INDEXES
    assert await MongoIndexes(mongo=uncontrolled).check() == []


async def test_without_access_control_no_job_has_a_client(
    uncontrolled: Mongo, raw: Database[Row]
) -> None:
    failed = a_job(state=State.FAILED, dedup_key=None, released_key="key", request_id="R")
    raw["jobs"].insert_one(encode(failed))
    lists = MongoJobList(mongo=uncontrolled)
    majority_lists = MongoJobList(mongo=uncontrolled, is_majority_read=True)
    found = [
        [job.id for job in page.jobs]
        for each in (lists, majority_lists)
        for given in (JobFilter(request_id="R"), JobFilter(client="hr"))
        for page in [
            await each.read_page(
                JobListQuery(filter=given, order=JobOrder.CREATE_TIME_ASC),
                None,
                most=9,
                is_full=False,
            )
        ]
    ]
    by_state = JobFilter(client="hr", state=State.FAILED)
    retried = failed.reset_for_retry(NOW, expire_time=NOW, dedup_until=NOW)
    changes = MongoJobChanges(mongo=uncontrolled, retention=RETENTION)

    assert found == [["job-1"], []] * 2
    assert [await lists.count(each, most=9) for each in (JobFilter(request_id="R"), by_state)] == [
        1,
        0,
    ]
    assert await changes.change_all([(failed, retried)]) == (1, 0)


async def test_without_access_control_a_missing_index_is_still_an_error(
    uncontrolled: Mongo, raw: Database[Row]
) -> None:
    raw["jobs"].drop_index("request_id_id")

    with pytest.raises(StoreRefused):
        await MongoJobList(mongo=uncontrolled).count(JobFilter(request_id="R"), most=9)


async def test_access_control_that_is_switched_on_makes_the_indexes(
    uncontrolled: Mongo, raw: Database[Row], new_mongo_uri: str
) -> None:
    before = set(raw["jobs"].index_information())
    async with open_mongo(new_mongo_uri, has_clients=True) as mongo:
        await mongo.prepare()

    assert set(raw["jobs"].index_information()) == before | CLIENT_INDEXES
    assert await MongoIndexes(mongo=uncontrolled).check() == []


async def test_prepare_drops_retired_indexes_except_those_that_older_processes_name(
    mongo: Mongo, another_mongo: Mongo, jobs: Collection[Row]
) -> None:
    """Its processes may still run, and would claim or sweep nothing without these indexes."""
    jobs.create_index([("state", 1), ("due", 1)], name="state_due")
    leased = {"lease": {"$exists": True}}
    jobs.create_index("lease", name="lease", partialFilterExpression=leased)
    before = jobs.index_information()
    jobs.create_index([("empid", 1), ("created", -1)], name="empid_created")
    jobs.create_index([("email", 1), ("created", -1)], name="email_created")
    jobs.insert_one(encode(a_job()))

    await asyncio.gather(mongo.prepare(), another_mongo.prepare())

    assert jobs.index_information() == before
    assert list(jobs.find()) == [encode(a_job())]


async def test_mongodb_deletes_a_job_when_its_retention_ends(
    jobs: Collection[Row],
) -> None:
    now = datetime.now(UTC)
    jobs.insert_many(
        [
            encode(a_job(id="over", dedup_key=None)) | {"delete_after": now - SECOND},
            encode(a_job(id="kept", dedup_key=None)) | {"delete_after": now + RETENTION},
            encode(a_job(id="waiting", dedup_key=None)),
        ]
    )

    await until(lambda: not jobs.find_one({"_id": "over"}), within=65)

    assert {row["_id"] for row in jobs.find()} == {"kept", "waiting"}
