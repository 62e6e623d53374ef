"""The sweep where documents lack fields, or hold values that cannot be read."""

from datetime import UTC, datetime

import pytest
from bson.datetime_ms import DatetimeMS
from pymongo.database import Database
from structlog.testing import capture_logs

from gcsched.adapters.mongo.codec import encode
from gcsched.usecases.recovery.sweep import Repair
from tests.support.builders import a_job
from tests.support.rows import Row
from tests.support.sweeps import AHEAD, LONG_AGO, Replicas, an_orphan, without_zeros


@pytest.mark.parametrize("begun", [None, LONG_AGO], ids=["not begun", "begun"])
@pytest.mark.parametrize("missing_fields", [["lease"], ["claim"], ["claim", "lease"]])
async def test_a_sending_job_without_a_claim_gets_a_lease_and_is_an_orphan_later(
    replicas: Replicas, raw: Database[Row], missing_fields: list[str], begun: datetime | None
) -> None:
    row = an_orphan(begun=begun)
    raw["jobs"].insert_one(
        {name: value for name, value in row.items() if name not in missing_fields}
    )
    replica = await replicas.open()

    with_lease = await replica.sweep.sweep()
    expired = {"$set": {"lease": LONG_AGO}}
    found = raw["jobs"].find_one_and_update({"lease": {"$gt": LONG_AGO}}, expired)
    taken = await replica.sweep.sweep()

    repair = Repair.NOT_BEGUN if begun is None else Repair.UNCERTAIN
    assert found is not None
    assert without_zeros(with_lease) == {Repair.IMPOSSIBLE: 1}
    assert without_zeros(taken) == {repair: 1, Repair.OVERDUE: 1}
    [row] = raw["jobs"].find()
    assert row["state"] == ("SCHEDULED" if begun is None else "RETRYING")
    assert (row["attempt"], {"claim", "lease", "begun"}.isdisjoint(row)) == (0, True)


@pytest.mark.parametrize(
    "state", ["QUEUED", "SCHEDULED", "RETRYING", "UNCERTAIN", "SENT", "FAILED"]
)
async def test_a_claim_on_a_job_that_is_not_sending_is_removed_and_hides_no_orphan(
    replicas: Replicas, raw: Database[Row], monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setattr("gcsched.usecases.recovery.sweep.MAX_BATCH_SIZE", 5)
    held = {"state": state, "due": AHEAD}
    raw["jobs"].insert_many(an_orphan(n, begun=LONG_AGO) | held for n in range(8))
    raw["jobs"].insert_many(without_lease(an_orphan(n) | held) for n in range(8, 16))
    raw["jobs"].insert_one(an_orphan(99))
    replica = await replicas.open()

    reports = [await replica.sweep.sweep() for _ in range(5)]

    counts = [report[Repair.IMPOSSIBLE] for report in reports]
    assert counts[-1] == 0
    assert sum(counts) == 16
    assert reports[0][Repair.NOT_BEGUN] == 1
    for row in raw["jobs"].find({"state": state, "_id": {"$ne": "job-99"}}):
        assert {"claim", "lease", "begun"}.isdisjoint(row)


def without_lease(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in {"lease", "begun"}}


async def test_unreadable_orphans_hide_no_others_and_are_logged_occasionally(
    replicas: Replicas, raw: Database[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.recovery.sweep.MAX_BATCH_SIZE", 3)
    broken: Row = {"attempts": "none", "lease": datetime(2019, 1, 1, tzinfo=UTC)}
    raw["jobs"].insert_many(an_orphan(n) | broken for n in range(3))
    raw["jobs"].insert_one(an_orphan(9))
    replica = await replicas.open()

    with capture_logs() as logs:
        reports = [await replica.sweep.sweep() for _ in range(3)]

    assert [report.get(Repair.NOT_BEGUN, 0) for report in reports] == [0, 1, 0]
    assert [log["event"] for log in logs].count("job unreadable") == 3
    quarantined = {
        "state": "UNREADABLE",
        "aside": "SENDING",
        "attempts": "none",
        "claim": "claim-1",
    }
    assert raw["jobs"].count_documents(quarantined) == 3


@pytest.mark.parametrize("not_after", [DatetimeMS(8640000000000000), "tomorrow", None], ids=str)
async def test_a_date_outside_of_pythons_range_stops_no_other_job(
    replicas: Replicas, raw: Database[Row], not_after: object
) -> None:
    waiting = encode(a_job(id="odd", dedup_key="odd")) | {"not_after": not_after}
    raw["jobs"].insert_many([waiting, an_orphan(1) | {"not_after": not_after}, an_orphan(2)])
    replica = await replicas.open()

    report = await replica.sweep.sweep()

    readable = 1 if not_after == "tomorrow" else 2
    assert report.get(Repair.NOT_BEGUN, 0) == readable
    assert raw["jobs"].find_one({"_id": "odd"}, {"state": 1}) == {
        "_id": "odd",
        "state": "SCHEDULED",
    }


async def test_unknown_states_are_logged_once_a_sweep_and_left_alone(
    replicas: Replicas, raw: Database[Row]
) -> None:
    unknown_state = [
        an_orphan(n) | {"state": state} for n, state in enumerate(["DONE", "DONE", "sent"])
    ]
    raw["jobs"].insert_many(unknown_state)
    replica = await replicas.open()

    with capture_logs() as logs:
        report = await replica.sweep.sweep()

    assert without_zeros(report) == {}
    assert list(raw["jobs"].find()) == unknown_state
    assert [(log["event"], log["jobs"]) for log in logs] == [
        ("jobs in unknown states", {"DONE": 2, "sent": 1})
    ]
