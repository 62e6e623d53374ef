"""Limits of waiting jobs, of previews, and limits that change. Oracle: the jobs in the store."""

from datetime import timedelta
from functools import partial

from msgspec.structs import replace
from pymongo.collection import Collection

from gcsched.domain.client_limits import Limit
from gcsched.domain.dedup import AdmissionOutcome
from gcsched.usecases.admission.day_uses import MAX_RESERVE, PLENTY
from tests.support.background import in_background
from tests.support.builders import FixedClock, a_client
from tests.support.clocks import DAY
from tests.support.quota_process import CREATED, FULL, REPLAYED, Process, Used, another_process
from tests.support.rows import Row


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
