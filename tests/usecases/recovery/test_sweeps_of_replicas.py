"""Which process sweeps when, what two of them do at once, and sweeps while the store is away."""

import asyncio
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from pymongo.database import Database
from structlog.testing import capture_logs

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.recovery import MongoRecovery
from gcsched.domain.job import State
from gcsched.usecases.ports import Orphan
from gcsched.usecases.recovery.sweep import Repair, RepairLog
from tests.support.background import in_background
from tests.support.builders import NOW, a_job
from tests.support.clocks import SECOND
from tests.support.rows import Row
from tests.support.sweeps import (
    LONG_AGO,
    Replicas,
    an_orphan,
    without_zeros,
)
from tests.support.wait import until


async def test_two_replicas_that_sweep_at_once_repair_and_count_each_job_once(
    replicas: Replicas, raw: Database[Row]
) -> None:
    due = NOW - timedelta(hours=2)
    raw["jobs"].insert_many(
        [
            *[an_orphan(number) for number in range(40)],
            *[an_orphan(number, begun=LONG_AGO) for number in range(40, 70)],
            *[
                encode(a_job(id=f"job-{n}", dedup_key=f"key-{n}", state=State.QUEUED, due_time=due))
                for n in range(70, 90)
            ],
        ]
    )
    replica, other_replica = await replicas.open(), await replicas.open()
    await replica.sent_markers.write(
        added=[(f"job-{number}", "claim-1") for number in range(40, 50)]
    )

    reports = await asyncio.gather(
        *[each.sweep.sweep() for each in (replica, other_replica, replica, other_replica)]
    )

    rows = {row["_id"]: (row["state"], row["version"]) for row in raw["jobs"].find()}
    assert {rows[f"job-{number}"] for number in range(40)} == {("SCHEDULED", 2)}
    assert {rows[f"job-{number}"] for number in range(40, 50)} == {("SENT", 2)}
    assert {rows[f"job-{number}"] for number in range(50, 70)} == {("RETRYING", 2)}
    assert {rows[f"job-{number}"] for number in range(70, 90)} == {("SCHEDULED", 1)}
    counts = {reason: sum(report.get(reason, 0) for report in reports) for reason in Repair}
    assert (counts[Repair.NOT_BEGUN], counts[Repair.DAILY]) == (40, 20)
    assert (counts[Repair.ACCEPTED], counts[Repair.UNCERTAIN]) == (10, 20)


async def test_a_second_pass_finds_nothing_more_to_repair(
    replicas: Replicas, raw: Database[Row]
) -> None:
    raw["jobs"].insert_many([an_orphan(1), an_orphan(2, begun=LONG_AGO)])
    replica = await replicas.open()
    await replica.sweep.sweep()
    repaired = list(raw["jobs"].find())

    report = await replica.sweep.sweep()

    assert without_zeros(report) == {Repair.OVERDUE: 1}
    assert list(raw["jobs"].find()) == repaired


async def test_only_one_replica_sweeps_when_a_sweep_is_due(
    replicas: Replicas, raw: Database[Row]
) -> None:
    raw["jobs"].insert_one(encode(a_job()))
    replica, other_replica = await replicas.open(), await replicas.open()

    await asyncio.gather(
        *[
            r.sweep.sweep_if_due(12 * SECOND)
            for r in (replica, other_replica, replica, other_replica)
        ]
    )
    first = len(replica.nudges) + len(other_replica.nudges)
    replicas.clock.advance(12 * SECOND)
    await other_replica.sweep.sweep_if_due(12 * SECOND)

    assert first == 1
    assert len(replica.nudges) + len(other_replica.nudges) == 2


async def test_every_process_sweeps_by_itself_if_no_other_did(
    replicas: Replicas, raw: Database[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.recovery.sweep.CHECK_EVERY", timedelta(milliseconds=10))
    raw["jobs"].insert_one(an_orphan())
    replica = await replicas.open()

    async with in_background(replica.sweep.run):
        await until(lambda: raw["jobs"].count_documents({"takebacks": 1}))


async def test_orphans_do_not_wait_for_the_next_sweep(
    replicas: Replicas, raw: Database[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.recovery.sweep.CHECK_EVERY", timedelta(milliseconds=10))
    replica = await replicas.open()
    await replica.sweep.sweep_if_due(12 * SECOND)  # the next one is due in twelve seconds
    raw["jobs"].insert_one(an_orphan())

    async with in_background(replica.sweep.run):
        await until(lambda: raw["jobs"].count_documents({"takebacks": 1}))
        await until(lambda: replica.nudges)


async def test_a_sweep_is_retried_while_the_store_is_away(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setattr("gcsched.usecases.recovery.sweep.CHECK_EVERY", timedelta(milliseconds=10))
    replicas.mongo_uri = f"mongodb://127.0.0.1:{unused_tcp_port}/?serverSelectionTimeoutMS=10"
    replica = await replicas.open()

    tried: list[None] = []
    looking = replica.sweep.recovery.find_orphans

    async def counting(most: int) -> Sequence[Orphan]:
        tried.append(None)
        return await looking(most)

    monkeypatch.setattr(MongoRecovery, "find_orphans", lambda _, most: counting(most))
    with capture_logs() as logs:
        async with in_background(replica.sweep.run):
            await until(lambda: len(tried) == 3)

    assert [log["event"] for log in logs] == ["sweep failed, retrying"]


async def test_overdue_jobs_are_logged_every_five_minutes_and_repairs_each_time(
    replicas: Replicas, raw: Database[Row]
) -> None:
    replica = await replicas.open()
    seconds = FixedSeconds()
    sweep = replace(replica.sweep, repair_log=RepairLog(clock=seconds))
    raw["jobs"].insert_one(encode(a_job(due_time=LONG_AGO)))

    with capture_logs() as logs:
        reports = [await sweep.sweep() for _ in range(3)]
        raw["jobs"].insert_one(an_orphan(2))
        await sweep.sweep()
        await sweep.sweep()
        seconds.now += 300
        await sweep.sweep()

    assert [without_zeros(report) for report in reports] == [{Repair.OVERDUE: 1}] * 3
    assert [without_level(log) for log in logs] == [
        {"event": "sweep repaired", "overdue": 1},
        {"event": "sweep repaired", "lease_expired_not_begun": 1, "overdue": 1},
        {"event": "sweep repaired", "overdue": 1},
    ]


@dataclass
class FixedSeconds:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def without_level(log: MutableMapping[str, Any]) -> Row:
    return {name: value for name, value in log.items() if name != "log_level"}
