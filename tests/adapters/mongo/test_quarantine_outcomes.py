"""Outcomes, late acceptances, runs and lists beside unreadable documents."""

from datetime import UTC, datetime, timedelta

import pytest
from pymongo.collection import Collection
from structlog.testing import capture_logs

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.adapters.mongo.job_reader import MongoJobList
from gcsched.adapters.mongo.outcomes import MongoOutcomes
from gcsched.adapters.mongo.recovery import MongoRecovery
from gcsched.adapters.mongo.runs import MongoRuns
from gcsched.domain.job import State
from gcsched.domain.job_list import JobFilter, JobListQuery, JobOrder
from gcsched.domain.smtp_reply import Kind
from gcsched.errors import UnreadableJob
from gcsched.usecases.ports import Conclusion
from tests.support.builders import a_claimed_job, an_attempt
from tests.support.corrupt_jobs import PAST, RETENTION, a_due_row, an_orphan_row, without_fields
from tests.support.poisons import VALUES
from tests.support.rows import Row


async def test_an_outcome_is_stored_although_its_job_was_quarantined_meanwhile(
    mongo: Mongo, recovery: MongoRecovery, jobs: Collection[Row]
) -> None:
    """Its process was paused past the lease, and knows the relay's reply."""
    jobs.insert_one(an_orphan_row("odd", begun=PAST, attempts="x"))
    await recovery.find_orphans(10)
    job = a_claimed_job(id="odd", dedup_key="odd")
    sent = job.sent(an_attempt(kind=Kind.ACCEPTED, code=250))

    lost = await MongoOutcomes(mongo=mongo, retention=RETENTION).conclude(
        [Conclusion(claim="claim-1", job=sent)]
    )

    [row] = jobs.find()
    assert not lost
    assert (row["state"], len(row["attempts"]), "aside" in row) == ("SENT", 1, False)


async def test_an_outcome_whose_state_cannot_be_stored_is_returned_as_lost(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    held = a_claimed_job()
    jobs.insert_one(encode(held) | {"lease": PAST})
    failed = held.failed(an_attempt(), reason="no text \udc80 of ada@example.org")
    conclusion = Conclusion(claim="claim-1", job=failed)

    with capture_logs() as logs:
        lost = await MongoOutcomes(mongo=mongo, retention=RETENTION).conclude([conclusion])

    assert lost == [conclusion]
    assert [(log["event"], log["error"]) for log in logs] == [
        ("outcome cannot be stored, storing the state only", "UnicodeEncodeError")
    ]
    assert "ada@" not in str(logs)


async def test_an_outcome_that_cannot_be_stored_whole_stores_its_state_beside_the_others(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    held = [a_claimed_job(id=f"job-{number}", dedup_key=f"{number}") for number in range(9)]
    jobs.insert_many(encode(job) | {"lease": PAST, "begun": PAST} for job in held)
    texts = ["no text \udc80" if job.id == "job-4" else "250 ok" for job in held]
    sent = [
        job.sent(an_attempt(kind=Kind.ACCEPTED, code=250, text=text))
        for job, text in zip(held, texts, strict=True)
    ]

    with capture_logs() as logs:
        lost = await MongoOutcomes(mongo=mongo, retention=RETENTION).conclude(
            [Conclusion(claim="claim-1", job=job) for job in sent]
        )

    assert not lost
    assert jobs.count_documents({"state": "SENT", "claim": {"$exists": False}}) == 9
    assert jobs.count_documents({"attempts": {"$size": 1}}) == 8
    assert [(log["event"], log["job_id"]) for log in logs] == [
        ("outcome cannot be stored, storing the state only", "job-4")
    ]


async def test_a_late_acceptance_of_a_damaged_job_does_not_stop_others(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    held = [a_claimed_job(id=f"job-{number}", dedup_key=f"{number}") for number in range(3)]
    waiting = [encode(job) | {"state": "UNCERTAIN", "claim": None} for job in held]
    jobs.insert_many([waiting[0] | {"version": "x", "attempts": 5}, *waiting[1:]])
    proofs = [job.sent(an_attempt(kind=Kind.ACCEPTED, code=250)) for job in held]

    await MongoOutcomes(mongo=mongo, retention=RETENTION).conclude(
        [Conclusion(claim="claim-1", job=job) for job in proofs]
    )

    assert {row["state"] for row in jobs.find()} == {"SENT"}


async def test_a_lease_that_never_expires_is_reset(
    recovery: MongoRecovery, jobs: Collection[Row]
) -> None:
    jobs.insert_one(an_orphan_row("odd", lease=VALUES["far date"]))

    assert await recovery.check_unreadable(10) == 1

    [row] = jobs.find()
    assert row["lease"] < datetime.now(UTC) + timedelta(minutes=1)


async def test_the_daily_run_moves_jobs_with_damaged_fields(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    fields = ("version", "due_at", "not_after", "not_after_asked")
    kinds = VALUES.keys() - {"missing"}
    jobs.insert_many(
        a_due_row(f"{name} {kind}", state="QUEUED", **{name: VALUES[kind]})
        for name in fields
        for kind in kinds
    )
    jobs.insert_one(without_fields(a_due_row("missing", state="QUEUED"), *fields))
    now = datetime.now(UTC)

    found, moved = await MongoRuns(mongo=mongo).move_queued(
        until=now, now=now, not_after=now, most=1000
    )

    assert found == moved == len(fields) * len(kinds) + 1
    assert not jobs.count_documents({"state": "QUEUED"})


async def test_finding_a_quarantined_job_reports_the_damaged_field(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    jobs.insert_one(a_due_row("odd", state="UNREADABLE", aside="RETRYING", attempt=-1))

    with pytest.raises(UnreadableJob, match="field attempt is the number -1"):
        await MongoJobChanges(mongo=mongo, retention=RETENTION).find("odd")


async def test_a_list_continues_after_a_page_that_ends_with_several_due_times(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    sent = [a_due_row(f"job-{number}", state="SENT") for number in range(4)]
    sent[1]["due"] = [PAST, PAST + RETENTION]
    jobs.insert_many(sent)
    listing = JobListQuery(filter=JobFilter(state=State.SENT), order=JobOrder.DUE_TIME_ASC)
    jobs_list, after, seen = MongoJobList(mongo=mongo), None, list[str]()

    for _ in range(10):
        page = await jobs_list.read_page(listing, after, most=2, is_full=False)
        seen += [job.id for job in page.jobs]
        if (after := page.next_cursor) is None:
            break

    assert after is None
    assert seen == ["job-0", "job-2", "job-3"]
