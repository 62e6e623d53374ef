"""Claims. Oracle: what the driver finds, and the server's clock."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.collection import Collection

from gcsched.adapters.mongo.claims import MongoClaims, filter_due
from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.domain.job import CLAIMABLE, Job, Priority, State
from tests.support.builders import a_claimed_job, a_job, an_attempt
from tests.support.rows import Row

PAST = datetime(2020, 1, 1, tzinfo=UTC)
FAR_AHEAD = datetime(2200, 1, 1, tzinfo=UTC)
LEASE = timedelta(seconds=30)
TICK = timedelta(milliseconds=5)
DATE = datetime(2026, 7, 1, 12, 0, 7, tzinfo=UTC)
LEASED: Row = {"lease": PAST}


@pytest.fixture
def claims(mongo: Mongo) -> MongoClaims:
    return MongoClaims(mongo=mongo)


@pytest.fixture
def server_now(jobs: Collection[Row]) -> Callable[[], datetime]:
    """The server's own clock."""
    return lambda: jobs.database.command("hello")["localTime"].replace(tzinfo=UTC)


def a_numbered_job(number: int, **others: Any) -> Job:
    names = {"id": f"job-{number}", "dedup_key": f"key-{number}"}
    return a_job(**{**names, "due_time": PAST + timedelta(seconds=number), **others})


def rows_by_id(jobs: Collection[Row]) -> dict[str, Row]:
    return {row["_id"]: row for row in jobs.find()}


@pytest.mark.parametrize("state", list(State), ids=str)
async def test_only_waiting_jobs_are_claimed(
    claims: MongoClaims, jobs: Collection[Row], state: State
) -> None:
    jobs.insert_one(encode(a_job(state=state, due_time=PAST)))
    [before] = jobs.find()

    batch = await claims.claim("token", 10, now=FAR_AHEAD)

    [row] = jobs.find()
    if state in CLAIMABLE:
        assert [job.id for job in batch.jobs] == ["job-1"]
        assert (row["state"], row["claim"], row["version"]) == ("SENDING", "token", 1)
    else:
        assert (batch.jobs, batch.due_count) == ((), 0)
        assert row == before


async def test_a_job_is_due_by_the_servers_clock_even_if_ours_is_fast(
    claims: MongoClaims, jobs: Collection[Row], server_now: Callable[[], datetime]
) -> None:
    in_a_minute = server_now() + timedelta(minutes=1)
    jobs.insert_many([encode(a_numbered_job(1)), encode(a_numbered_job(2, due_time=in_a_minute))])

    batch = await claims.claim("token", 10, now=FAR_AHEAD)

    assert [job.id for job in batch.jobs] == ["job-1"]
    assert batch.due_count == 2
    assert rows_by_id(jobs)["job-2"] == encode(
        a_numbered_job(2, due_time=rows_by_id(jobs)["job-2"]["due"])
    )


async def test_a_claim_that_reaches_the_server_too_late_takes_nothing(
    jobs: Collection[Row], server_now: Callable[[], datetime]
) -> None:
    jobs.insert_one(encode(a_numbered_job(1)))
    now = server_now()

    assert jobs.count_documents(filter_due(since=now - timedelta(seconds=11))) == 0
    assert jobs.count_documents(filter_due(since=now - timedelta(seconds=5))) == 1


async def test_release_undoes_a_claim_whose_reply_was_lost_except_begun_jobs(
    claims: MongoClaims, jobs: Collection[Row]
) -> None:
    tried = (an_attempt(),)
    jobs.insert_many(
        [
            encode(a_numbered_job(1)),
            encode(a_numbered_job(2, attempts=tried)),
            encode(a_numbered_job(3)),
        ]
    )
    await claims.claim("lost reply", 3, now=FAR_AHEAD)
    await claims.begin("lost reply", ["job-3"], date=DATE)

    await claims.release(["lost reply", "never executed"])

    after = rows_by_id(jobs)
    assert {job: row["state"] for job, row in after.items()} == {
        "job-1": "SCHEDULED",
        "job-2": "RETRYING",
        "job-3": "SENDING",
    }
    assert not {"claim", "lease"} & (after["job-1"].keys() | after["job-2"].keys())
    assert [row["takebacks"] for row in after.values()] == [0, 0, 0]


async def test_a_slow_clock_claims_nothing_yet(claims: MongoClaims, jobs: Collection[Row]) -> None:
    jobs.insert_one(encode(a_numbered_job(1)))

    batch = await claims.claim("token", 10, now=PAST)

    assert (batch.jobs, batch.due_count) == ((), 0)
    assert rows_by_id(jobs) == {"job-1": encode(a_numbered_job(1))}


async def test_claimed_jobs_are_returned_as_stored_the_longest_due_first(
    claims: MongoClaims, jobs: Collection[Row]
) -> None:
    jobs.insert_many([encode(a_numbered_job(number, version=number)) for number in (3, 1, 2)])

    batch = await claims.claim("token", 10, now=FAR_AHEAD)

    assert batch.token == "token"
    assert [job.id for job in batch.jobs] == ["job-1", "job-2", "job-3"]
    assert [job.version for job in batch.jobs] == [2, 3, 4]
    assert {(job.state, job.claim) for job in batch.jobs} == {(State.SENDING, "token")}
    assert [job.state_time for job in batch.jobs] == [
        rows_by_id(jobs)[job.id]["since"] for job in batch.jobs
    ]


async def test_unknown_fields_of_a_newer_version_are_kept(
    claims: MongoClaims, jobs: Collection[Row]
) -> None:
    """Two versions run beside each other while an update is rolled out."""
    row = encode(a_numbered_job(1, attempts=(an_attempt(),)))
    row["attempts"][0]["new_field"] = row["new_field"] = "?"
    jobs.insert_one(row)

    batch = await claims.claim("token", 10, now=FAR_AHEAD)

    assert batch.jobs[0].attempts == (an_attempt(),)
    assert rows_by_id(jobs)["job-1"]["new_field"] == "?"


async def test_a_claim_takes_no_more_than_requested(
    claims: MongoClaims, jobs: Collection[Row]
) -> None:
    jobs.insert_many([encode(a_numbered_job(number)) for number in range(40)])

    batch = await claims.claim("token", 10, now=FAR_AHEAD)

    assert len(batch.jobs) == 10
    # A claim reads three times as many, so that replicas choose different ones.
    assert batch.due_count == 30
    assert {job.id for job in batch.jobs} == {row["_id"] for row in jobs.find({"claim": "token"})}
    assert {job.id for job in batch.jobs} <= {f"job-{number}" for number in range(30)}


async def test_concurrent_claims_never_share_a_job(
    mongo: Mongo, another_mongo: Mongo, jobs: Collection[Row]
) -> None:
    jobs.insert_many([encode(a_numbered_job(number)) for number in range(300)])
    taken: list[str] = []

    async def take_all(here: Mongo, name: str) -> None:
        for number in range(1000):
            batch = await MongoClaims(mongo=here).claim(f"{name}-{number}", 20, now=FAR_AHEAD)
            taken.extend(job.id for job in batch.jobs)
            if batch.due_count == 0:
                return

    await asyncio.gather(take_all(mongo, "a"), take_all(another_mongo, "b"), take_all(mongo, "c"))

    assert sorted(taken) == sorted(f"job-{number}" for number in range(300))
    assert {(row["state"], row["version"]) for row in jobs.find()} == {("SENDING", 1)}


@pytest.mark.parametrize("now", [PAST + timedelta(days=1), FAR_AHEAD], ids=["slow", "fast"])
async def test_a_lease_is_set_by_the_servers_clock(
    claims: MongoClaims,
    jobs: Collection[Row],
    server_now: Callable[[], datetime],
    now: datetime,
) -> None:
    jobs.insert_one(encode(a_numbered_job(1)))
    before = server_now()

    batch = await claims.claim("token", 10, now=now)

    after = server_now()
    lease = rows_by_id(jobs)["job-1"]["lease"]
    assert before + LEASE <= lease <= after + LEASE
    left_by_our_clock = timedelta(seconds=batch.lease_end - time.monotonic())
    assert left_by_our_clock <= lease - after + TICK, (
        "a process must not count on a longer lease than it has"
    )
    assert left_by_our_clock > LEASE - timedelta(seconds=5)


def a_claimed_row(number: int, token: str = "ours", **others: Any) -> Row:
    job = a_numbered_job(number, **{"state": State.SENDING, "claim": token, "version": 1, **others})
    return encode(job) | LEASED


async def test_begin_marks_jobs_by_the_servers_clock_and_leaves_their_lease(
    claims: MongoClaims, jobs: Collection[Row], server_now: Callable[[], datetime]
) -> None:
    jobs.insert_many([a_claimed_row(1), a_claimed_row(2)])
    before = server_now()

    ours = await claims.begin("ours", ["job-1", "job-2"], date=DATE)

    after = server_now()
    assert set(ours) == {"job-1", "job-2"}
    for row in rows_by_id(jobs).values():
        assert row["date"] == DATE
        assert before <= row["begun"] <= after
        assert row["lease"] == PAST, "a permit ends by the lease that the process knows"
        assert (row["version"], row["claim"], row["state"]) == (1, "ours", "SENDING")


async def test_begin_keeps_an_earlier_date_of_a_mail_also_when_it_is_repeated(
    claims: MongoClaims, jobs: Collection[Row]
) -> None:
    jobs.insert_many([a_claimed_row(1), a_claimed_row(2, date=PAST)])

    for later in range(2):
        await claims.begin("ours", ["job-1", "job-2"], date=DATE + timedelta(seconds=later))

    assert {job: row["date"] for job, row in rows_by_id(jobs).items()} == {
        "job-1": DATE,
        "job-2": PAST,
    }


async def test_begin_marks_only_jobs_that_the_token_still_holds(
    claims: MongoClaims, jobs: Collection[Row]
) -> None:
    taken_back = encode(a_numbered_job(3, state=State.RETRYING, version=2))
    others = {"job-2": a_claimed_row(2, "theirs"), "job-3": taken_back, "job-4": a_claimed_row(4)}
    jobs.insert_many([a_claimed_row(1), *others.values()])

    ours = await claims.begin("ours", ["job-1", "job-2", "job-3", "gone"], date=DATE)

    assert set(ours) == {"job-1"}
    found = rows_by_id(jobs)
    assert "begun" in found.pop("job-1")
    assert found == others


async def test_begin_fails_after_the_job_was_taken_back_and_claimed_again(
    claims: MongoClaims, jobs: Collection[Row]
) -> None:
    jobs.insert_one(a_claimed_row(1))
    jobs.update_one(
        {}, {"$set": {"state": "SCHEDULED", "version": 2}, "$unset": {"claim": "", "lease": ""}}
    )
    await claims.claim("newer", 1, now=FAR_AHEAD)
    before = rows_by_id(jobs)

    assert set(await claims.begin("ours", ["job-1"], date=DATE)) == set()

    assert rows_by_id(jobs) == before


async def test_of_several_tokens_only_the_holder_begins(
    claims: MongoClaims, jobs: Collection[Row]
) -> None:
    jobs.insert_one(a_claimed_row(1))

    begun = await asyncio.gather(
        *[claims.begin(t, ["job-1"], date=DATE) for t in ("theirs", "ours", "no")]
    )

    assert [set(ids) for ids in begun] == [set(), {"job-1"}, set()]


async def test_renew_extends_only_the_leases_of_its_tokens(
    claims: MongoClaims, jobs: Collection[Row], server_now: Callable[[], datetime]
) -> None:
    others = {
        "job-3": a_claimed_row(3, "theirs"),
        "job-4": encode(a_numbered_job(4)),
        "job-5": encode(a_numbered_job(5, state=State.UNCERTAIN)),
    }
    jobs.insert_many(
        [a_claimed_row(1, "ours"), a_claimed_row(2, "ours too") | {"begun": PAST}, *others.values()]
    )
    before = server_now()

    await claims.renew(["ours", "ours too"])

    found = rows_by_id(jobs)
    for number, token in ((1, "ours"), (2, "ours too")):
        row = found.pop(f"job-{number}")
        assert before + LEASE <= row.pop("lease") <= server_now() + LEASE
        assert row.items() <= (a_claimed_row(number, token) | {"begun": PAST}).items()
    assert found == others


async def test_a_renewal_that_ends_after_a_later_one_does_not_shorten_the_lease(
    claims: MongoClaims, jobs: Collection[Row], server_now: Callable[[], datetime]
) -> None:
    by_the_later_one = (server_now() + 2 * LEASE).replace(microsecond=0)
    jobs.insert_one(a_claimed_row(1) | {"lease": by_the_later_one})

    await claims.renew(["ours"])

    assert rows_by_id(jobs)["job-1"]["lease"] == by_the_later_one


@pytest.mark.parametrize("lease", ["tomorrow", None, [FAR_AHEAD], 7], ids=str)
async def test_a_renewal_replaces_a_lease_that_is_not_a_date(
    claims: MongoClaims, jobs: Collection[Row], server_now: Callable[[], datetime], lease: object
) -> None:
    jobs.insert_one(a_claimed_row(1) | {"lease": lease})
    before = server_now()

    await claims.renew(["ours"])

    assert before + LEASE <= rows_by_id(jobs)["job-1"]["lease"] <= server_now() + LEASE


@pytest.mark.parametrize("state", list(State), ids=str)
async def test_has_due_jobs_reports_whether_a_due_job_waits(
    claims: MongoClaims, jobs: Collection[Row], state: State
) -> None:
    jobs.insert_one(encode(a_claimed_job(state=state, due_time=PAST)))

    waits = state in {State.SCHEDULED, State.RETRYING}
    assert await claims.has_due_jobs(now=PAST) is waits
    assert await claims.has_due_jobs(now=PAST - timedelta(seconds=1)) is False


async def test_an_unreadable_job_does_not_stop_a_claim(
    claims: MongoClaims, jobs: Collection[Row]
) -> None:
    jobs.insert_one({**encode(a_numbered_job(1)), "attempts": [{"written_by": "another program"}]})
    jobs.insert_one(encode(a_numbered_job(2)))

    batch = await claims.claim("token", 5, now=FAR_AHEAD)

    assert [job.id for job in batch.jobs] == ["job-2"]


def an_urgent_job(number: int, **others: Any) -> Job:
    return a_numbered_job(number, priority=Priority.URGENT, **others)


async def test_urgent_jobs_are_claimed_before_jobs_that_were_due_earlier(
    claims: MongoClaims, jobs: Collection[Row]
) -> None:
    jobs.insert_many(encode(a_numbered_job(number)) for number in range(30))
    jobs.insert_many(encode(an_urgent_job(number)) for number in range(30, 33))

    first = await claims.claim("first", 2, now=FAR_AHEAD)
    second = await claims.claim("second", 5, now=FAR_AHEAD)

    urgent = {"job-30", "job-31", "job-32"}
    taken = [{job.id for job in batch.jobs} for batch in (first, second)]
    assert taken[0] < urgent
    assert urgent - taken[0] < taken[1]
    assert [len(each) for each in taken] == [2, 5]
    assert second.due_count > 5


async def test_an_urgent_only_claim_takes_urgent_jobs_only(
    claims: MongoClaims, jobs: Collection[Row]
) -> None:
    jobs.insert_many(encode(a_numbered_job(number)) for number in range(5))
    jobs.insert_one(encode(an_urgent_job(5, state=State.RETRYING)))
    jobs.insert_one(encode(an_urgent_job(6, due_time=FAR_AHEAD)))
    jobs.insert_one(encode(an_urgent_job(7, state=State.SENT)))

    batch = await claims.claim("token", 10, now=FAR_AHEAD - timedelta(days=1), urgent_only=True)

    assert [job.id for job in batch.jobs] == ["job-5"]
    assert batch.due_count == 1
