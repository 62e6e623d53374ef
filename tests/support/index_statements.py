"""The statements of the MongoDB adapters that indexes serve, and rows to try them on."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from gcsched.adapters.mongo import suppressions
from gcsched.adapters.mongo.admissions import MongoAdmissions
from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.adapters.mongo.job_reader import MongoJobReader
from gcsched.adapters.mongo.outcomes import MongoOutcomes
from gcsched.adapters.mongo.recovery import MongoRecovery
from gcsched.adapters.mongo.runs import MongoRuns
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.domain.job import Job, Priority, State
from gcsched.domain.outcome import apply_lease_expiration
from gcsched.domain.retry import RetryPolicy
from gcsched.domain.smtp_reply import Kind
from gcsched.usecases.ports import Conclusion
from tests.support.builders import a_job, a_suppression, an_attempt, is_new
from tests.support.clocks import SECOND
from tests.support.rows import Row

NOW = datetime(2025, 7, 1, 12, tzinfo=UTC)  # past for every server, whose clock decides
RETENTION = timedelta(days=30)
ACCEPTED = an_attempt(kind=Kind.ACCEPTED, code=250)
SENT, OVERDUE, AHEAD, RETRYING, CLAIMED, QUEUED = 2000, 600, 600, 300, 300, 200
PER_TOKEN = 30
SUPPRESSED = 1000


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
