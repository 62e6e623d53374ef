"""Write what became of claimed jobs; oracle: what the driver finds in the collection."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pymongo.collection import Collection

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.outcomes import MongoOutcomes
from gcsched.domain.attempt import Attempt
from gcsched.domain.job import FINAL_STATES, Job, State
from gcsched.domain.smtp_reply import Kind
from gcsched.usecases.ports import Conclusion
from tests.support.builders import NOW, a_claimed_job, a_job, an_attempt
from tests.support.rows import Row

RETENTION = timedelta(days=36500)  # the monitor of the tests looks every second
LATER = NOW + timedelta(minutes=5)
CLAIM_FIELDS: Row = {"lease": NOW + timedelta(seconds=30), "begun": NOW}
ACCEPTED = an_attempt(kind=Kind.ACCEPTED, code=250, text="250 at BODY: queued")
PUT_OFF = an_attempt()


@pytest.fixture
def outcomes(mongo: Mongo) -> MongoOutcomes:
    return MongoOutcomes(mongo=mongo, retention=RETENTION)


def make_conclusion(job: Job, *, claim: str = "claim-1") -> Conclusion:
    return Conclusion(claim=claim, job=job)


def a_row(**others: Any) -> Row:
    """Make the document of a job whose body has begun under claim-1."""
    return encode(a_claimed_job(**others)) | CLAIM_FIELDS


def attempt_row(attempt: Attempt) -> Row:
    """Say *attempt* in the words of the database."""
    return {
        "begun": attempt.start_time,
        "ended": attempt.end_time,
        "kind": attempt.kind.value,
        "relay": "smtp.example.org",
        "code": attempt.code,
        "enhanced": None,
        "text": attempt.text,
    }


async def test_a_job_put_off_waits_again_with_its_history_and_belongs_to_nobody(
    outcomes: MongoOutcomes, jobs: Collection[Row]
) -> None:
    jobs.insert_one(a_row())
    job = a_claimed_job().retried(PUT_OFF, due_time=LATER, charged=True)

    assert not await outcomes.conclude([make_conclusion(job)])

    changed = {
        "state": "RETRYING",
        "since": PUT_OFF.end_time,
        "due": LATER,
        "reason": "450 at RCPT: busy",
        "attempt": 1,
        "version": 2,
        "attempts": [attempt_row(PUT_OFF)],
    }
    expected = encode(a_claimed_job()) | changed
    del expected["claim"]
    assert list(jobs.find()) == [expected]


@pytest.mark.parametrize("words", ["$email", "$$ROOT", "$$NOW", {"$literal": 1}], ids=str)
async def test_what_a_relay_says_is_no_expression_of_the_database(
    outcomes: MongoOutcomes, jobs: Collection[Row], words: Any
) -> None:
    jobs.insert_one(a_row())
    refused = an_attempt(text=words)

    await outcomes.conclude([make_conclusion(a_claimed_job().failed(refused, reason=words))])

    [row] = jobs.find()
    assert (row["reason"], row["attempts"][0]["text"]) == (words, words)


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


async def test_each_of_many_gets_its_own_outcome(
    outcomes: MongoOutcomes, jobs: Collection[Row]
) -> None:
    """Under two claims, to several ends, in one call."""
    claimed = [
        a_claimed_job(id=f"job-{n}", dedup_key=f"key-{n}", claim=f"claim-{n % 2}", version=n)
        for n in range(40)
    ]
    jobs.insert_many([encode(job) | CLAIM_FIELDS for job in claimed])
    ends = [finish_by_version(job) for job in claimed]

    lost = await outcomes.conclude(
        [make_conclusion(end, claim=f"claim-{n % 2}") for n, end in enumerate(ends)]
    )

    assert not lost
    found = {row["_id"]: row for row in jobs.find()}
    for end in ends:
        kept = {"delete_after": end.state_time + RETENTION} if end.state in FINAL_STATES else {}
        assert found[end.id] == encode(end) | kept


@pytest.mark.parametrize("state", [state for state in State if state is not State.QUEUED], ids=str)
async def test_only_the_final_states_have_an_end_of_their_keeping(
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
        (a_claimed_job().retried(PUT_OFF, due_time=LATER, charged=True), "key-1"),
        (a_claimed_job().held(PUT_OFF, reason="who knows"), "key-1"),
        (a_claimed_job().unclaimed(LATER), "key-1"),
        (a_claimed_job().failed(PUT_OFF, reason="no such user"), None),
    ],
    ids=lambda value: value.state.value if isinstance(value, Job) else "",
)
async def test_a_job_that_failed_lets_its_key_go_and_no_other_does(
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
        a_claimed_job().retried(PUT_OFF, due_time=LATER, charged=True),
        a_claimed_job().failed(PUT_OFF, reason="no such user"),
        a_claimed_job().held(PUT_OFF, reason="who knows"),
        a_claimed_job().unclaimed(LATER),
    ],
    ids=lambda job: job.state.value,
)
async def test_what_is_written_a_second_time_is_neither_lost_nor_changed(
    outcomes: MongoOutcomes, jobs: Collection[Row], job: Job
) -> None:
    """As after a write that was carried out but not confirmed."""
    jobs.insert_one(a_row())
    await outcomes.conclude([make_conclusion(job)])
    [before] = jobs.find()

    assert not await outcomes.conclude([make_conclusion(job)])

    assert list(jobs.find()) == [before]


@pytest.mark.parametrize(
    "job",
    [
        a_claimed_job().retried(PUT_OFF, due_time=LATER, charged=True),
        a_claimed_job().failed(PUT_OFF, reason="no such user"),
        a_claimed_job().held(PUT_OFF, reason="who knows"),
        a_claimed_job().unclaimed(LATER),
    ],
    ids=lambda job: job.state.value,
)
@pytest.mark.parametrize(
    "there",
    [
        a_row(claim="claim-2", version=3),
        encode(a_job(state=State.RETRYING, version=4)),
        encode(a_job(state=State.UNCERTAIN, version=4)),
        encode(a_job(state=State.CANCELLED, version=4)),
    ],
    ids=lambda row: row["state"],
)
async def test_whoever_lost_the_claim_changes_nothing_and_is_told(
    outcomes: MongoOutcomes, jobs: Collection[Row], there: Row, job: Job
) -> None:
    jobs.insert_one(there)

    assert list(await outcomes.conclude([make_conclusion(job)])) == [make_conclusion(job)]

    assert list(jobs.find()) == [there]


async def test_of_many_only_the_lost_ones_are_told(
    outcomes: MongoOutcomes, jobs: Collection[Row]
) -> None:
    ids = {name: {"id": name, "dedup_key": name} for name in ("ours", "theirs", "deleted", "again")}
    jobs.insert_many([a_row(**ids["ours"]), a_row(**ids["theirs"], claim="claim-2")])
    jobs.insert_one(a_row(**ids["again"]))
    ends = {name: a_claimed_job(**ids[name]).failed(PUT_OFF, reason="no") for name in ids}
    await outcomes.conclude([make_conclusion(ends["again"])])

    lost = await outcomes.conclude([make_conclusion(job) for job in ends.values()])

    assert {conclusion.job.id for conclusion in lost} == {"theirs", "deleted"}
    found = {row["_id"]: row["state"] for row in jobs.find()}
    assert found == {"ours": "FAILED", "theirs": "SENDING", "again": "FAILED"}


NEWER = {"claim": "claim-2", "version": 3}


@pytest.mark.parametrize(
    "there",
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
async def test_a_late_250_proves_that_the_mail_was_sent(
    outcomes: MongoOutcomes, jobs: Collection[Row], there: Row
) -> None:
    history = [attempt_row(PUT_OFF)]
    jobs.insert_one(there | {"attempts": history, "reason": "who knows"})

    await outcomes.conclude([make_conclusion(a_claimed_job().sent(ACCEPTED))])

    [row] = jobs.find()
    assert (row["state"], row["reason"], row["dedup_key"]) == ("SENT", "", "key-1")
    assert row["attempts"] == [*history, attempt_row(ACCEPTED)]
    assert row["version"] == there["version"] + 1
    assert row["since"] == ACCEPTED.end_time
    assert row["delete_after"] == ACCEPTED.end_time + RETENTION
    assert {"claim", "lease", "begun"}.isdisjoint(row)


async def test_a_late_250_takes_nothing_away_of_what_was_counted_meanwhile(
    outcomes: MongoOutcomes, jobs: Collection[Row]
) -> None:
    """Taken back once, tried and put off once: then the first worker wakes, with its 250."""
    meanwhile = a_job(
        state=State.RETRYING, version=4, lease_expirations=1, attempt=1, attempts=(PUT_OFF,)
    )
    jobs.insert_one(encode(meanwhile))

    await outcomes.conclude([make_conclusion(a_claimed_job(version=1).sent(ACCEPTED))])

    [row] = jobs.find()
    assert row["state"] == "SENT"
    assert (row["takebacks"], row["attempt"]) == (1, 2)


@pytest.mark.parametrize("newer_first", [True, False], ids=["newer first", "older first"])
async def test_a_late_250_counts_also_beside_the_end_of_a_newer_claim(
    outcomes: MongoOutcomes, jobs: Collection[Row], *, newer_first: bool
) -> None:
    """Taken back and claimed again by the same process, which writes both ends together."""
    jobs.insert_one(encode(a_claimed_job(**NEWER)) | CLAIM_FIELDS)
    late = make_conclusion(a_claimed_job().sent(ACCEPTED))
    put_off = a_claimed_job(**NEWER).retried(PUT_OFF, due_time=LATER, charged=True)
    newer = make_conclusion(put_off, claim="claim-2")

    lost = await outcomes.conclude([newer, late] if newer_first else [late, newer])

    [row] = jobs.find()
    assert list(lost) == [late]
    assert (row["state"], row["version"]) == ("SENT", put_off.version + 1)
    assert row["attempts"] == [attempt_row(PUT_OFF), attempt_row(ACCEPTED)]


@pytest.mark.parametrize(
    "there",
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
async def test_a_late_250_changes_nothing_else(
    outcomes: MongoOutcomes, jobs: Collection[Row], there: Row
) -> None:
    jobs.insert_one(there)

    sent = make_conclusion(a_claimed_job().sent(ACCEPTED))
    assert list(await outcomes.conclude([sent])) == [sent]

    assert list(jobs.find()) == [there]
