"""Outcomes of claimed jobs. Oracle: what the driver finds in the collection."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from pymongo.collection import Collection

from gcsched.adapters.mongo.codec import STORED_KINDS, encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.outcomes import MongoOutcomes
from gcsched.domain.attempt import Attempt
from gcsched.domain.job import FINAL_STATES, Job, State
from gcsched.domain.smtp_reply import Kind
from gcsched.usecases.ports import Conclusion
from tests.support.builders import NOW, a_claimed_job, a_job, an_attempt
from tests.support.rows import Row

RETENTION = timedelta(days=36500)  # the TTL monitor of the tests runs every second
LATER = NOW + timedelta(minutes=5)
CLAIM_FIELDS: Row = {"lease": NOW + timedelta(seconds=30), "begun": NOW}
ACCEPTED = an_attempt(kind=Kind.ACCEPTED, code=250, text="250 at BODY: queued")
DEFERRED = an_attempt()


@pytest.fixture
def outcomes(mongo: Mongo) -> MongoOutcomes:
    return MongoOutcomes(mongo=mongo, retention=RETENTION)


def make_conclusion(job: Job, *, claim: str = "claim-1") -> Conclusion:
    return Conclusion(claim=claim, job=job)


def a_row(**others: Any) -> Row:
    """Make the document of a job whose body has begun under claim-1."""
    return encode(a_claimed_job(**others)) | CLAIM_FIELDS


def attempt_row(attempt: Attempt) -> Row:
    """Return *attempt* as MongoDB stores it."""
    return {
        "begun": attempt.start_time,
        "ended": attempt.end_time,
        "kind": STORED_KINDS[attempt.kind],
        "relay": "smtp.example.org",
        "code": attempt.code,
        "enhanced": None,
        "text": attempt.text,
    }


async def test_a_deferred_job_waits_again_with_its_history_and_without_a_claim(
    outcomes: MongoOutcomes, jobs: Collection[Row]
) -> None:
    jobs.insert_one(a_row())
    job = a_claimed_job().retried(DEFERRED, due_time=LATER, charged=True)

    assert not await outcomes.conclude([make_conclusion(job)])

    changed = {
        "state": "RETRYING",
        "since": DEFERRED.end_time,
        "due": LATER,
        "reason": "450 at RCPT: busy",
        "attempt": 1,
        "version": 2,
        "attempts": [attempt_row(DEFERRED)],
    }
    expected = encode(a_claimed_job()) | changed
    del expected["claim"]
    assert list(jobs.find()) == [expected]


@pytest.mark.parametrize("text", ["$email", "$$ROOT", "$$NOW", {"$literal": 1}], ids=str)
async def test_a_relay_text_is_not_evaluated_as_an_expression(
    outcomes: MongoOutcomes, jobs: Collection[Row], text: Any
) -> None:
    jobs.insert_one(a_row())
    refused = an_attempt(text=text)

    await outcomes.conclude([make_conclusion(a_claimed_job().failed(refused, reason=text))])

    [row] = jobs.find()
    assert (row["reason"], row["attempts"][0]["text"]) == (text, text)


def finish_by_version(job: Job) -> Job:
    attempt = an_attempt(text=f"words for {job.id}")
    match job.version % 3:
        case 0:
            return job.sent(attempt)
        case 1:
            return job.failed(attempt, reason=f"reason of {job.id}")
        case _:
            due = LATER + timedelta(seconds=job.version)
            return job.retried(attempt, due_time=due, charged=True)


async def test_each_job_of_a_batch_gets_its_own_outcome(
    outcomes: MongoOutcomes, jobs: Collection[Row]
) -> None:
    """Two claims and several outcomes in one call."""
    claimed = [
        a_claimed_job(id=f"job-{n}", dedup_key=f"key-{n}", claim=f"claim-{n % 2}", version=n)
        for n in range(40)
    ]
    jobs.insert_many([encode(job) | CLAIM_FIELDS for job in claimed])
    results = [finish_by_version(job) for job in claimed]

    lost = await outcomes.conclude(
        [make_conclusion(result, claim=f"claim-{n % 2}") for n, result in enumerate(results)]
    )

    assert not lost
    found = {row["_id"]: row for row in jobs.find()}
    for result in results:
        expected = encode(result)
        if result.state in FINAL_STATES:
            expected["delete_after"] = result.state_time + RETENTION
        assert found[result.id] == expected


@pytest.mark.parametrize("state", [state for state in State if state is not State.QUEUED], ids=str)
async def test_only_final_states_have_a_retention(
    outcomes: MongoOutcomes, jobs: Collection[Row], state: State
) -> None:
    jobs.insert_one(a_row())
    job = replace(a_claimed_job(version=2), state=state, state_time=LATER)

    await outcomes.conclude([make_conclusion(job)])

    [row] = jobs.find()
    assert row["state"] == state
    assert row.get("delete_after") == (LATER + RETENTION if state in FINAL_STATES else None)


@pytest.mark.parametrize(
    ("job", "key"),
    [
        (a_claimed_job().sent(ACCEPTED), "key-1"),
        (a_claimed_job().retried(DEFERRED, due_time=LATER, charged=True), "key-1"),
        (a_claimed_job().held(DEFERRED, reason="unknown"), "key-1"),
        (a_claimed_job().unclaimed(LATER), "key-1"),
        (a_claimed_job().failed(DEFERRED, reason="no such user"), None),
    ],
    ids=lambda value: value.state.value if isinstance(value, Job) else "",
)
async def test_only_a_failed_job_releases_its_key(
    outcomes: MongoOutcomes, jobs: Collection[Row], job: Job, key: str | None
) -> None:
    jobs.insert_one(a_row())

    await outcomes.conclude([make_conclusion(job)])

    [row] = jobs.find()
    assert row.get("dedup_key") == key
    assert row.get("released_key") == (None if key else "key-1")  # to be taken again by a retry
    assert {"claim", "lease", "begun"}.isdisjoint(row)


@pytest.mark.parametrize(
    "job",
    [
        a_claimed_job().sent(ACCEPTED),
        a_claimed_job().retried(DEFERRED, due_time=LATER, charged=True),
        a_claimed_job().failed(DEFERRED, reason="no such user"),
        a_claimed_job().held(DEFERRED, reason="unknown"),
        a_claimed_job().unclaimed(LATER),
    ],
    ids=lambda job: job.state.value,
)
async def test_writing_an_outcome_again_changes_nothing_and_loses_nothing(
    outcomes: MongoOutcomes, jobs: Collection[Row], job: Job
) -> None:
    """As after a write that succeeded but was not confirmed."""
    jobs.insert_one(a_row())
    await outcomes.conclude([make_conclusion(job)])
    [before] = jobs.find()

    assert not await outcomes.conclude([make_conclusion(job)])

    assert list(jobs.find()) == [before]


@pytest.mark.parametrize(
    "job",
    [
        a_claimed_job().retried(DEFERRED, due_time=LATER, charged=True),
        a_claimed_job().failed(DEFERRED, reason="no such user"),
        a_claimed_job().held(DEFERRED, reason="unknown"),
        a_claimed_job().unclaimed(LATER),
    ],
    ids=lambda job: job.state.value,
)
@pytest.mark.parametrize(
    "stored",
    [
        a_row(claim="claim-2", version=3),
        encode(a_job(state=State.RETRYING, version=4)),
        encode(a_job(state=State.UNCERTAIN, version=4)),
        encode(a_job(state=State.CANCELLED, version=4)),
    ],
    ids=lambda row: row["state"],
)
async def test_an_outcome_under_a_lost_claim_is_returned_and_changes_nothing(
    outcomes: MongoOutcomes, jobs: Collection[Row], stored: Row, job: Job
) -> None:
    jobs.insert_one(stored)

    assert list(await outcomes.conclude([make_conclusion(job)])) == [make_conclusion(job)]

    assert list(jobs.find()) == [stored]


async def test_conclude_returns_only_the_lost_outcomes(
    outcomes: MongoOutcomes, jobs: Collection[Row]
) -> None:
    ids = {name: {"id": name, "dedup_key": name} for name in ("ours", "theirs", "deleted", "again")}
    jobs.insert_many([a_row(**ids["ours"]), a_row(**ids["theirs"], claim="claim-2")])
    jobs.insert_one(a_row(**ids["again"]))
    results = {name: a_claimed_job(**ids[name]).failed(DEFERRED, reason="no") for name in ids}
    await outcomes.conclude([make_conclusion(results["again"])])

    lost = await outcomes.conclude([make_conclusion(job) for job in results.values()])

    assert {conclusion.job.id for conclusion in lost} == {"theirs", "deleted"}
    found = {row["_id"]: row["state"] for row in jobs.find()}
    assert found == {"ours": "FAILED", "theirs": "SENDING", "again": "FAILED"}


NEWER = {"claim": "claim-2", "version": 3}


@pytest.mark.parametrize(
    "stored",
    [
        encode(a_job(state=State.UNCERTAIN, version=2)),
        encode(a_job(state=State.RETRYING, version=2)),
        encode(a_job(state=State.SCHEDULED, version=3)),
        encode(a_job(state=State.QUEUED, version=3)),
        encode(a_claimed_job(**NEWER)) | {"lease": LATER},
    ],
    ids=[
        "UNCERTAIN",
        "RETRYING",
        "rescheduled to a time",
        "rescheduled to a day",
        "a newer claim that has not begun",
    ],
)
async def test_a_late_250_makes_the_job_sent(
    outcomes: MongoOutcomes, jobs: Collection[Row], stored: Row
) -> None:
    history = [attempt_row(DEFERRED)]
    jobs.insert_one(stored | {"attempts": history, "reason": "unknown"})

    await outcomes.conclude([make_conclusion(a_claimed_job().sent(ACCEPTED))])

    [row] = jobs.find()
    assert (row["state"], row["reason"], row["dedup_key"]) == ("SENT", "", "key-1")
    assert row["attempts"] == [*history, attempt_row(ACCEPTED)]
    assert row["version"] == stored["version"] + 1
    assert row["since"] == ACCEPTED.end_time
    assert row["delete_after"] == ACCEPTED.end_time + RETENTION
    assert {"claim", "lease", "begun"}.isdisjoint(row)


async def test_a_late_250_keeps_the_counts_of_later_attempts(
    outcomes: MongoOutcomes, jobs: Collection[Row]
) -> None:
    """Taken back once and deferred once; then the first worker wakes with its 250."""
    meanwhile = a_job(
        state=State.RETRYING, version=4, lease_expirations=1, attempt=1, attempts=(DEFERRED,)
    )
    jobs.insert_one(encode(meanwhile))

    await outcomes.conclude([make_conclusion(a_claimed_job(version=1).sent(ACCEPTED))])

    [row] = jobs.find()
    assert row["state"] == "SENT"
    assert (row["takebacks"], row["attempt"]) == (1, 2)


@pytest.mark.parametrize("newer_first", [True, False], ids=["newer first", "older first"])
async def test_a_late_250_counts_beside_the_outcome_of_a_newer_claim(
    outcomes: MongoOutcomes, jobs: Collection[Row], *, newer_first: bool
) -> None:
    """Taken back and claimed again by the same process, which writes both outcomes together."""
    jobs.insert_one(encode(a_claimed_job(**NEWER)) | CLAIM_FIELDS)
    late = make_conclusion(a_claimed_job().sent(ACCEPTED))
    deferred = a_claimed_job(**NEWER).retried(DEFERRED, due_time=LATER, charged=True)
    newer = make_conclusion(deferred, claim="claim-2")

    lost = await outcomes.conclude([newer, late] if newer_first else [late, newer])

    [row] = jobs.find()
    assert list(lost) == [late]
    assert (row["state"], row["version"]) == ("SENT", deferred.version + 1)
    assert row["attempts"] == [attempt_row(DEFERRED), attempt_row(ACCEPTED)]


@pytest.mark.parametrize(
    "stored",
    [
        encode(a_claimed_job(**NEWER)) | CLAIM_FIELDS,
        encode(a_job(state=State.CANCELLED, version=4)),
        encode(a_job(state=State.SENT, version=4)),
        encode(a_job(state=State.FAILED, version=4)),
        encode(a_job(state=State.EXPIRED, version=4)),
        encode(a_job(state=State.SUPPRESSED, version=4)),
    ],
    ids=lambda row: "a newer claim that has begun" if "begun" in row else row["state"],
)
async def test_a_late_250_changes_no_other_state(
    outcomes: MongoOutcomes, jobs: Collection[Row], stored: Row
) -> None:
    jobs.insert_one(stored)

    sent = make_conclusion(a_claimed_job().sent(ACCEPTED))
    assert list(await outcomes.conclude([sent])) == [sent]

    assert list(jobs.find()) == [stored]
