"""The sweep on real stores: jobs left behind are repaired and counted, and no other is touched."""

import socket
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from pymongo.database import Database
from structlog.testing import capture_logs

from gcsched.adapters.mongo.codec import encode
from gcsched.domain.job import State
from gcsched.domain.retry import OnUncertain
from gcsched.errors import StoreRefused
from gcsched.usecases.recovery.sweep import Repair
from tests.support.background import in_background
from tests.support.builders import NOON, NOW, a_claimed_job, a_job, an_attempt
from tests.support.clocks import SECOND
from tests.support.rows import Row
from tests.support.sweeps import (
    AHEAD,
    LONG_AGO,
    Replicas,
    an_orphan,
    without_zeros,
)
from tests.support.wait import until

INTERRUPTED = "interrupted after the body had begun: the relay may have taken the mail"


async def test_where_nothing_is_wrong_nothing_is_repaired(
    replicas: Replicas, raw: Database[Row]
) -> None:
    fine = [
        encode(a_claimed_job(id="held", dedup_key="held")) | {"lease": AHEAD},
        encode(a_job(id="ahead", dedup_key="ahead", due_time=NOW + timedelta(hours=1))),
        encode(a_job(id="sent", dedup_key="sent", state=State.SENT)),
        encode(a_job(id="later", dedup_key="later", state=State.QUEUED, due_time=NOW + SECOND)),
    ]
    raw["jobs"].insert_many(fine)
    replica = await replicas.open()

    with capture_logs() as logs:
        report = await replica.sweep.sweep()

    assert without_zeros(report) == {}
    assert list(raw["jobs"].find()) == fine
    assert (replica.nudges, logs) == ([], [])


async def test_an_orphan_that_had_not_begun_is_due_again_without_a_charge(
    replicas: Replicas, raw: Database[Row]
) -> None:
    raw["jobs"].insert_one(an_orphan(lease_expirations=3))
    replica = await replicas.open()

    report = await replica.sweep.sweep()

    [row] = raw["jobs"].find()
    assert (row["state"], row["due"], row["takebacks"]) == ("SCHEDULED", NOW, 4)
    assert (row["attempt"], row["attempts"]) == (0, [])
    assert {"claim", "lease", "begun"}.isdisjoint(row)
    assert without_zeros(report) == {Repair.NOT_BEGUN: 1, Repair.OVERDUE: 1}
    assert replica.nudges


async def test_an_orphan_with_a_sent_marker_is_sent(replicas: Replicas, raw: Database[Row]) -> None:
    raw["jobs"].insert_one(an_orphan(begun=LONG_AGO))
    replica = await replicas.open()
    await replica.sent_markers.write(added=[("job-1", "claim-1")])

    report = await replica.sweep.sweep()

    [row] = raw["jobs"].find()
    assert (row["state"], row["dedup_key"]) == ("SENT", "key-1")
    assert [(a["kind"], a["begun"]) for a in row["attempts"]] == [("ACCEPTED", LONG_AGO)]
    assert "delete_after" in row
    assert without_zeros(report) == {Repair.ACCEPTED: 1}


async def test_a_marker_of_an_earlier_claim_proves_nothing(
    replicas: Replicas, raw: Database[Row]
) -> None:
    raw["jobs"].insert_one(an_orphan(begun=LONG_AGO))
    replica = await replicas.open()
    await replica.sent_markers.write(added=[("job-1", "claim-0"), ("job-2", "claim-1")])

    await replica.sweep.sweep()

    [row] = raw["jobs"].find()
    assert row["state"] == "RETRYING"


@pytest.mark.parametrize(
    ("on_uncertain", "state"),
    [(OnUncertain.RESEND, "RETRYING"), (OnUncertain.HOLD, "UNCERTAIN")],
    ids=["resend", "hold"],
)
async def test_an_orphan_that_had_begun_is_uncertain(
    replicas: Replicas, raw: Database[Row], on_uncertain: OnUncertain, state: str
) -> None:
    raw["jobs"].insert_one(an_orphan(begun=LONG_AGO, attempt=2))
    replica = await replicas.open(on_uncertain=on_uncertain)

    report = await replica.sweep.sweep()

    [row] = raw["jobs"].find()
    assert (row["state"], row["due"], row["attempt"], row["takebacks"]) == (state, NOW, 2, 1)
    [attempt] = row["attempts"]
    assert (attempt["kind"], attempt["begun"], attempt["text"]) == (
        "UNCERTAIN",
        LONG_AGO,
        INTERRUPTED,
    )
    assert report[Repair.UNCERTAIN] == 1


async def test_an_orphan_that_had_begun_is_uncertain_without_redis_too(
    replicas: Replicas, raw: Database[Row]
) -> None:
    raw["jobs"].insert_many([an_orphan(1, begun=LONG_AGO), an_orphan(2)])
    with socket.socket() as unused_socket:
        unused_socket.bind(("127.0.0.1", 0))
        away = f"redis://127.0.0.1:{unused_socket.getsockname()[1]}"
        replica = await replicas.open(redis_url=away)

        report = await replica.sweep.sweep()

    assert {row["_id"]: row["state"] for row in raw["jobs"].find()} == {
        "job-1": "RETRYING",
        "job-2": "SCHEDULED",
    }
    assert without_zeros(report) == {Repair.UNCERTAIN: 1, Repair.NOT_BEGUN: 1, Repair.OVERDUE: 1}


@pytest.mark.parametrize("begun", [None, LONG_AGO], ids=["not begun", "begun"])
async def test_the_tenth_lease_expiration_is_the_last(
    replicas: Replicas, raw: Database[Row], begun: datetime | None
) -> None:
    raw["jobs"].insert_one(an_orphan(begun=begun, lease_expirations=9))
    replica = await replicas.open()

    await replica.sweep.sweep()

    [row] = raw["jobs"].find()
    assert (row["state"], row["reason"]) == ("FAILED", "its worker died ten times")
    assert (row["takebacks"], "dedup_key" in row) == (10, False)


async def test_more_orphans_than_fit_in_one_write_are_repaired_in_one_pass(
    replicas: Replicas, raw: Database[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.recovery.sweep.MAX_BATCH_SIZE", 10)
    raw["jobs"].insert_many([an_orphan(number) for number in range(35)])
    replica = await replicas.open()

    report = await replica.sweep.sweep()

    assert {(row["state"], row["takebacks"]) for row in raw["jobs"].find()} == {("SCHEDULED", 1)}
    assert report[Repair.NOT_BEGUN] == 35


async def test_overdue_jobs_and_near_seconds_schedule_wake_ups(
    replicas: Replicas, raw: Database[Row]
) -> None:
    due = {"overdue": -5, "soon": 20, "soon too": 20, "at the horizon": 60, "beyond": 61}
    raw["jobs"].insert_many(
        encode(a_job(id=name, dedup_key=name, due_time=NOW + seconds * SECOND))
        for name, seconds in due.items()
    )
    replica = await replicas.open()

    report = await replica.sweep.sweep()

    async with in_background(replica.wake_ups.run):
        await until(lambda: len(replica.queue.enqueued) == 3)
    assert sorted(replica.queue.enqueued) == [NOON, NOON + 20, NOON + 60]
    assert len(replica.nudges) == 1
    assert without_zeros(report) == {Repair.OVERDUE: 1, Repair.WAKE_UP_LOST: 1}


async def test_a_lost_wake_up_is_scheduled_again_and_counted_once(
    replicas: Replicas, raw: Database[Row]
) -> None:
    raw["jobs"].insert_one(encode(a_job(due_time=NOW + 30 * SECOND)))
    replica = await replicas.open()

    async with in_background(replica.wake_ups.run):
        await replica.wake_ups.schedule_and_wait(NOW + 30 * SECOND)
        before = await replica.sweep.sweep()
        replica.queue.enqueued.clear()  # as FLUSHALL does
        lost = await replica.sweep.sweep()
        await until(lambda: replica.queue.enqueued)
        after = await replica.sweep.sweep()

    assert replica.queue.enqueued == [NOON + 30]
    assert [without_zeros(report) for report in (before, lost, after)] == [
        {},
        {Repair.WAKE_UP_LOST: 1},
        {},
    ]


async def test_a_second_that_comes_within_the_horizon_is_not_a_repair(
    replicas: Replicas, raw: Database[Row]
) -> None:
    raw["jobs"].insert_one(encode(a_job(due_time=NOW + 41 * SECOND)))
    replica = await replicas.open()

    report = await replica.sweep.sweep()

    assert without_zeros(report) == {}


@pytest.mark.parametrize("state", [State.SCHEDULED, State.RETRYING])
async def test_a_job_that_waits_past_its_expire_time_expires_without_a_claim(
    replicas: Replicas, raw: Database[Row], state: State
) -> None:
    """As while the relay is away for days."""
    tried = {"attempt": 1, "attempts": (an_attempt(),), "reason": "450 at RCPT: busy"}
    late = a_job(state=state, due_time=NOW - SECOND, expire_time=NOW - SECOND, version=4, **tried)
    in_time = a_job(id="in time", dedup_key="in time", due_time=NOW - SECOND, expire_time=NOW)
    raw["jobs"].insert_many([encode(late), encode(in_time)])
    replica = await replicas.open()

    report = await replica.sweep.sweep()

    row, other = raw["jobs"].find().sort("_id", -1)
    assert (row["state"], row["since"], row["version"]) == ("EXPIRED", NOW, 5)
    assert row["reason"] == (
        "not sent by 2026-07-01T11:59:59+00:00, the last attempt: 450 at RCPT: busy"
    )
    assert ("dedup_key" in row, row["attempt"], len(row["attempts"])) == (False, 1, 1)
    assert row["delete_after"] == NOW + timedelta(days=36500)
    assert other == encode(in_time)
    assert without_zeros(report) == {Repair.EXPIRED: 1, Repair.OVERDUE: 1}


async def test_an_expired_job_schedules_no_wake_up(replicas: Replicas, raw: Database[Row]) -> None:
    raw["jobs"].insert_one(encode(a_job(expire_time=NOW - SECOND)))
    replica = await replicas.open()

    await replica.sweep.sweep()

    assert replica.nudges == []


async def test_a_sweep_expires_one_batch_and_the_next_sweep_the_next(
    replicas: Replicas, raw: Database[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.recovery.sweep.MAX_BATCH_SIZE", 10)
    raw["jobs"].insert_many(
        encode(a_job(id=f"{n}", dedup_key=f"{n}", expire_time=NOW - SECOND)) for n in range(25)
    )
    replica = await replicas.open()

    ended = [(await replica.sweep.sweep())[Repair.EXPIRED] for _ in range(4)]

    assert ended == [10, 10, 5, 0]


async def test_a_missed_daily_run_is_caught_up(replicas: Replicas, raw: Database[Row]) -> None:
    due = NOW - timedelta(hours=2)
    raw["jobs"].insert_many(
        encode(a_job(id=f"job-{n}", dedup_key=f"key-{n}", state=State.QUEUED, due_time=due))
        for n in range(3)
    )
    replica = await replicas.open()

    report = await replica.sweep.sweep()

    assert {(row["state"], row["due"]) for row in raw["jobs"].find()} == {("SCHEDULED", NOW)}
    assert without_zeros(report) == {Repair.DAILY: 3, Repair.OVERDUE: 1}
    assert replica.nudges


async def test_a_sweep_checks_meetings_last_and_counts_no_repair(
    replicas: Replicas, raw: Database[Row]
) -> None:
    raw["jobs"].insert_one(an_orphan())
    replica, seen = await replicas.open(), list[str]()

    async def check() -> None:
        seen.extend(row["state"] for row in raw["jobs"].find())

    report = await replace(replica.sweep, check_meetings=check).sweep()

    assert seen == ["SCHEDULED"]
    assert without_zeros(report) == {Repair.NOT_BEGUN: 1, Repair.OVERDUE: 1}


async def test_a_refused_check_of_meetings_stops_no_other_repair(
    replicas: Replicas, raw: Database[Row]
) -> None:
    raw["jobs"].insert_one(an_orphan())
    replica = await replicas.open()

    async def refuse() -> None:
        raise StoreRefused("looking for unchecked meetings", "index", "an index is missing")

    with pytest.raises(StoreRefused):
        await replace(replica.sweep, check_meetings=refuse).sweep()

    assert [row["state"] for row in raw["jobs"].find()] == ["SCHEDULED"]
