"""The sweep on real stores: what was left behind is repaired, counted, and nothing else touched."""

import asyncio
import socket
from collections.abc import AsyncIterator, MutableMapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson.datetime_ms import DatetimeMS
from pymongo.database import Database
from structlog.testing import capture_logs

from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.recovery import MongoRecovery
from gcsched.adapters.mongo.runs import MongoRuns
from gcsched.adapters.redis.connection import RedisMarks
from gcsched.domain.due import DailyPlan
from gcsched.domain.job import State
from gcsched.domain.retry import OnUncertain, RetryPolicy
from gcsched.usecases.ports import Orphan
from gcsched.usecases.recovery.daily_run import DailyRun
from gcsched.usecases.recovery.sweep import Repair, RepairLog, Sweep
from gcsched.usecases.wakeups import Ringer
from tests.support.builders import NOON, NOW, FixedClock, a_claimed_job, a_job, an_attempt, running
from tests.support.clocks import SECOND
from tests.support.marks import marks_at
from tests.support.rows import Row
from tests.support.wait import until
from tests.support.wakeups import ToyBell

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
AHEAD = datetime(2200, 1, 1, tzinfo=UTC)
AT_TEN = DailyPlan(at=time(10), zone=ZoneInfo("UTC"))
CUT_OFF = "cut off after the body had begun: the relay may have taken the mail"


@dataclass(kw_only=True)
class Replica:
    """A sweep, and what it rang and nudged."""

    sweep: Sweep
    ringer: Ringer
    bell: ToyBell
    nudges: list[None]
    marks: RedisMarks


@dataclass(kw_only=True)
class Replicas:
    """Open as many replicas on the test's own stores as are wanted."""

    mongo_uri: str
    redis_url: str
    stack: AsyncExitStack
    clock: FixedClock = field(default_factory=FixedClock)

    async def open(
        self, *, on_uncertain: OnUncertain = OnUncertain.RESEND, redis_url: str | None = None
    ) -> Replica:
        mongo = await self.stack.enter_async_context(open_mongo(self.mongo_uri))
        marks = await self.stack.enter_async_context(marks_at(redis_url or self.redis_url))
        nudges: list[None] = []
        bell = ToyBell()
        ringer = Ringer(bell=bell, nudge=lambda: nudges.append(None), now=self.clock)
        sweep = a_sweep(mongo, marks, ringer, self.clock, RetryPolicy(on_uncertain=on_uncertain))
        return Replica(sweep=sweep, ringer=ringer, bell=bell, nudges=nudges, marks=marks)


def a_sweep(
    mongo: Mongo, marks: RedisMarks, ringer: Ringer, clock: FixedClock, policy: RetryPolicy
) -> Sweep:
    runs = MongoRuns(mongo=mongo)
    day = timedelta(days=1)
    return Sweep(
        claims=MongoClaims(mongo=mongo),
        recovery=MongoRecovery(mongo=mongo, retention=timedelta(days=36500), now=clock),
        runs=runs,
        marks=marks,
        daily_run=DailyRun(runs=runs, plan=AT_TEN, ringer=ringer, keep_trying=day, now=clock),
        ringer=ringer,
        policy=policy,
        now=clock,
    )


@pytest.fixture
async def replicas(mongo_uri: str, redis_url: str) -> AsyncIterator[Replicas]:
    async with open_mongo(mongo_uri) as mongo:
        await mongo.prepare()
    async with AsyncExitStack() as stack:
        yield Replicas(mongo_uri=mongo_uri, redis_url=redis_url, stack=stack)


def orphan(number: int = 1, *, begun: datetime | None = None, **others: Any) -> Row:
    job = a_claimed_job(id=f"job-{number}", dedup_key=f"key-{number}", **others)
    mark = {} if begun is None else {"begun": begun}
    return encode(job) | {"lease": LONG_AGO} | mark


def counted(report: dict[Repair, int]) -> dict[Repair, int]:
    return {reason: count for reason, count in report.items() if count}


async def test_where_nothing_is_wrong_nothing_is_repaired(
    replicas: Replicas, raw: Database[Row]
) -> None:
    fine = [
        encode(a_claimed_job(id="held", dedup_key="held")) | {"lease": AHEAD},
        encode(a_job(id="ahead", dedup_key="ahead", due=NOW + timedelta(hours=1))),
        encode(a_job(id="sent", dedup_key="sent", state=State.SENT)),
        encode(a_job(id="later", dedup_key="later", state=State.QUEUED, due=NOW + SECOND)),
    ]
    raw["jobs"].insert_many(fine)
    here = await replicas.open()

    with capture_logs() as logs:
        report = await here.sweep()

    assert counted(report) == {}
    assert list(raw["jobs"].find()) == fine
    assert (here.nudges, logs) == ([], [])


async def test_what_had_not_begun_is_given_back_uncharged_and_due_again(
    replicas: Replicas, raw: Database[Row]
) -> None:
    raw["jobs"].insert_one(orphan(takebacks=3))
    here = await replicas.open()

    report = await here.sweep()

    [row] = raw["jobs"].find()
    assert (row["state"], row["due"], row["takebacks"]) == ("SCHEDULED", NOW, 4)
    assert (row["attempt"], row["attempts"]) == (0, [])
    assert {"claim", "lease", "begun"}.isdisjoint(row)
    assert counted(report) == {Repair.NOT_BEGUN: 1, Repair.OVERDUE: 1}
    assert here.nudges


async def test_what_redis_says_was_accepted_is_sent(replicas: Replicas, raw: Database[Row]) -> None:
    raw["jobs"].insert_one(orphan(begun=LONG_AGO))
    here = await replicas.open()
    await here.marks.note([("job-1", "claim-1")])

    report = await here.sweep()

    [row] = raw["jobs"].find()
    assert (row["state"], row["dedup_key"]) == ("SENT", "key-1")
    assert [(a["kind"], a["begun"]) for a in row["attempts"]] == [("ACCEPTED", LONG_AGO)]
    assert "delete_after" in row
    assert counted(report) == {Repair.ACCEPTED: 1}


async def test_a_mark_of_an_earlier_claim_proves_nothing(
    replicas: Replicas, raw: Database[Row]
) -> None:
    raw["jobs"].insert_one(orphan(begun=LONG_AGO))
    here = await replicas.open()
    await here.marks.note([("job-1", "claim-0"), ("job-2", "claim-1")])

    await here.sweep()

    [row] = raw["jobs"].find()
    assert row["state"] == "RETRYING"


@pytest.mark.parametrize(
    ("on_uncertain", "state"),
    [(OnUncertain.RESEND, "RETRYING"), (OnUncertain.HOLD, "UNCERTAIN")],
    ids=["resend", "hold"],
)
async def test_what_had_begun_and_nobody_knows_more_of_is_uncertain(
    replicas: Replicas, raw: Database[Row], on_uncertain: OnUncertain, state: str
) -> None:
    raw["jobs"].insert_one(orphan(begun=LONG_AGO, attempt=2))
    here = await replicas.open(on_uncertain=on_uncertain)

    report = await here.sweep()

    [row] = raw["jobs"].find()
    assert (row["state"], row["due"], row["attempt"], row["takebacks"]) == (state, NOW, 2, 1)
    [attempt] = row["attempts"]
    assert (attempt["kind"], attempt["begun"], attempt["text"]) == ("UNCERTAIN", LONG_AGO, CUT_OFF)
    assert report[Repair.UNCERTAIN] == 1


async def test_without_redis_what_had_begun_is_uncertain_too(
    replicas: Replicas, raw: Database[Row]
) -> None:
    raw["jobs"].insert_many([orphan(1, begun=LONG_AGO), orphan(2)])
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = f"redis://127.0.0.1:{nobody.getsockname()[1]}"
        here = await replicas.open(redis_url=away)

        report = await here.sweep()

    assert {row["_id"]: row["state"] for row in raw["jobs"].find()} == {
        "job-1": "RETRYING",
        "job-2": "SCHEDULED",
    }
    assert counted(report) == {Repair.UNCERTAIN: 1, Repair.NOT_BEGUN: 1, Repair.OVERDUE: 1}


@pytest.mark.parametrize("begun", [None, LONG_AGO], ids=["not begun", "begun"])
async def test_the_tenth_take_back_is_the_last(
    replicas: Replicas, raw: Database[Row], begun: datetime | None
) -> None:
    raw["jobs"].insert_one(orphan(begun=begun, takebacks=9))
    here = await replicas.open()

    await here.sweep()

    [row] = raw["jobs"].find()
    assert (row["state"], row["reason"]) == ("FAILED", "its worker died ten times")
    assert (row["takebacks"], "dedup_key" in row) == (10, False)


async def test_more_orphans_than_fit_in_one_write_are_repaired_in_one_pass(
    replicas: Replicas, raw: Database[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.recovery.sweep.MOST_AT_ONCE", 10)
    raw["jobs"].insert_many([orphan(number) for number in range(35)])
    here = await replicas.open()

    report = await here.sweep()

    assert {(row["state"], row["takebacks"]) for row in raw["jobs"].find()} == {("SCHEDULED", 1)}
    assert report[Repair.NOT_BEGUN] == 35


async def test_overdue_work_and_seconds_coming_near_are_rung(
    replicas: Replicas, raw: Database[Row]
) -> None:
    due = {"overdue": -5, "soon": 20, "soon too": 20, "at the horizon": 60, "beyond": 61}
    raw["jobs"].insert_many(
        encode(a_job(id=name, dedup_key=name, due=NOW + seconds * SECOND))
        for name, seconds in due.items()
    )
    here = await replicas.open()

    report = await here.sweep()

    async with running(here.ringer.run):
        await until(lambda: len(here.bell.rung) == 3)
    assert sorted(here.bell.rung) == [NOON, NOON + 20, NOON + 60]
    assert len(here.nudges) == 1
    assert counted(report) == {Repair.OVERDUE: 1, Repair.NOT_RUNG: 1}


async def test_a_second_that_the_bell_lost_is_rung_again_and_counted_once(
    replicas: Replicas, raw: Database[Row]
) -> None:
    raw["jobs"].insert_one(encode(a_job(due=NOW + 30 * SECOND)))
    here = await replicas.open()

    async with running(here.ringer.run):
        await here.ringer.ring(NOW + 30 * SECOND)
        before = await here.sweep()
        here.bell.rung.clear()  # as FLUSHALL does
        lost = await here.sweep()
        await until(lambda: here.bell.rung)
        after = await here.sweep()

    assert here.bell.rung == [NOON + 30]
    assert [counted(report) for report in (before, lost, after)] == [{}, {Repair.NOT_RUNG: 1}, {}]


async def test_a_second_that_comes_inside_the_horizon_is_no_repair(
    replicas: Replicas, raw: Database[Row]
) -> None:
    raw["jobs"].insert_one(encode(a_job(due=NOW + 41 * SECOND)))
    here = await replicas.open()

    report = await here.sweep()

    assert counted(report) == {}


@pytest.mark.parametrize("begun", [None, LONG_AGO], ids=["not begun", "begun"])
@pytest.mark.parametrize("lacking", [["lease"], ["claim"], ["claim", "lease"]])
async def test_what_is_being_sent_by_nobody_is_leased_and_then_taken_back(
    replicas: Replicas, raw: Database[Row], lacking: list[str], begun: datetime | None
) -> None:
    row = orphan(begun=begun)
    raw["jobs"].insert_one({name: value for name, value in row.items() if name not in lacking})
    here = await replicas.open()

    leased = await here.sweep()
    over = {"$set": {"lease": LONG_AGO}}
    found = raw["jobs"].find_one_and_update({"lease": {"$gt": LONG_AGO}}, over)
    taken = await here.sweep()

    repair = Repair.NOT_BEGUN if begun is None else Repair.UNCERTAIN
    assert found is not None
    assert counted(leased) == {Repair.IMPOSSIBLE: 1}
    assert counted(taken) == {repair: 1, Repair.OVERDUE: 1}
    [row] = raw["jobs"].find()
    assert row["state"] == ("SCHEDULED" if begun is None else "RETRYING")
    assert (row["attempt"], {"claim", "lease", "begun"}.isdisjoint(row)) == (0, True)


@pytest.mark.parametrize(
    "state", ["QUEUED", "SCHEDULED", "RETRYING", "UNCERTAIN", "SENT", "FAILED"]
)
async def test_a_claim_of_what_is_not_being_sent_goes_and_hides_no_orphan(
    replicas: Replicas, raw: Database[Row], monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setattr("gcsched.usecases.recovery.sweep.MOST_AT_ONCE", 5)
    held = {"state": state, "due": AHEAD}
    raw["jobs"].insert_many(orphan(n, begun=LONG_AGO) | held for n in range(8))
    raw["jobs"].insert_many(without_lease(orphan(n) | held) for n in range(8, 16))
    raw["jobs"].insert_one(orphan(99))
    here = await replicas.open()

    reports = [await here.sweep() for _ in range(4)]

    counts = [report[Repair.IMPOSSIBLE] for report in reports]
    assert counts[-1] == 0
    assert sum(counts) == 16
    assert reports[0][Repair.NOT_BEGUN] == 1
    for row in raw["jobs"].find({"state": state, "_id": {"$ne": "job-99"}}):
        assert {"claim", "lease", "begun"}.isdisjoint(row)


def without_lease(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in {"lease", "begun"}}


async def test_unreadable_orphans_hide_no_others_and_are_told_now_and_then(
    replicas: Replicas, raw: Database[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.recovery.sweep.MOST_AT_ONCE", 3)
    broken: Row = {"attempts": "none", "lease": datetime(2019, 1, 1, tzinfo=UTC)}
    raw["jobs"].insert_many(orphan(n) | broken for n in range(3))
    raw["jobs"].insert_one(orphan(9))
    here = await replicas.open()

    with capture_logs() as logs:
        reports = [await here.sweep() for _ in range(3)]

    assert [report.get(Repair.NOT_BEGUN, 0) for report in reports] == [0, 1, 0]
    assert [log["event"] for log in logs].count("job unreadable") == 3
    aside = {"state": "UNREADABLE", "aside": "SENDING", "attempts": "none", "claim": "claim-1"}
    assert raw["jobs"].count_documents(aside) == 3


@pytest.mark.parametrize("not_after", [DatetimeMS(8640000000000000), "tomorrow", None], ids=str)
async def test_a_date_that_python_does_not_know_stops_nobody(
    replicas: Replicas, raw: Database[Row], not_after: object
) -> None:
    waiting = encode(a_job(id="odd", dedup_key="odd")) | {"not_after": not_after}
    raw["jobs"].insert_many([waiting, orphan(1) | {"not_after": not_after}, orphan(2)])
    here = await replicas.open()

    report = await here.sweep()

    readable = 1 if not_after == "tomorrow" else 2
    assert report.get(Repair.NOT_BEGUN, 0) == readable
    assert raw["jobs"].find_one({"_id": "odd"}, {"state": 1}) == {
        "_id": "odd",
        "state": "SCHEDULED",
    }


async def test_states_that_nobody_knows_are_told_once_a_sweep_and_left_alone(
    replicas: Replicas, raw: Database[Row]
) -> None:
    strange = [orphan(n) | {"state": state} for n, state in enumerate(["DONE", "DONE", "sent"])]
    raw["jobs"].insert_many(strange)
    here = await replicas.open()

    with capture_logs() as logs:
        report = await here.sweep()

    assert counted(report) == {}
    assert list(raw["jobs"].find()) == strange
    assert [(log["event"], log["jobs"]) for log in logs] == [
        ("jobs in unknown states", {"DONE": 2, "sent": 1})
    ]


@pytest.mark.parametrize("state", [State.SCHEDULED, State.RETRYING])
async def test_what_waits_beyond_its_time_expires_without_a_claim(
    replicas: Replicas, raw: Database[Row], state: State
) -> None:
    """As while the relay is away for days."""
    tried = {"attempt": 1, "attempts": (an_attempt(),), "reason": "450 at RCPT: busy"}
    late = a_job(state=state, due=NOW - SECOND, not_after=NOW - SECOND, version=4, **tried)
    in_time = a_job(id="in time", dedup_key="in time", due=NOW - SECOND, not_after=NOW)
    raw["jobs"].insert_many([encode(late), encode(in_time)])
    here = await replicas.open()

    report = await here.sweep()

    row, other = raw["jobs"].find().sort("_id", -1)
    assert (row["state"], row["since"], row["version"]) == ("EXPIRED", NOW, 5)
    assert row["reason"] == (
        "not sent by 2026-07-01T11:59:59+00:00, the last attempt: 450 at RCPT: busy"
    )
    assert ("dedup_key" in row, row["attempt"], len(row["attempts"])) == (False, 1, 1)
    assert row["delete_after"] == NOW + timedelta(days=36500)
    assert other == encode(in_time)
    assert counted(report) == {Repair.EXPIRED: 1, Repair.OVERDUE: 1}


async def test_nobody_rings_for_what_has_expired(replicas: Replicas, raw: Database[Row]) -> None:
    raw["jobs"].insert_one(encode(a_job(not_after=NOW - SECOND)))
    here = await replicas.open()

    await here.sweep()

    assert here.nudges == []


async def test_a_sweep_ends_so_many_and_the_next_one_the_next(
    replicas: Replicas, raw: Database[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.recovery.sweep.MOST_AT_ONCE", 10)
    raw["jobs"].insert_many(
        encode(a_job(id=f"{n}", dedup_key=f"{n}", not_after=NOW - SECOND)) for n in range(25)
    )
    here = await replicas.open()

    ended = [(await here.sweep())[Repair.EXPIRED] for _ in range(4)]

    assert ended == [10, 10, 5, 0]


async def test_a_missed_daily_run_is_made_up(replicas: Replicas, raw: Database[Row]) -> None:
    due = NOW - timedelta(hours=2)
    raw["jobs"].insert_many(
        encode(a_job(id=f"job-{n}", dedup_key=f"key-{n}", state=State.QUEUED, due=due))
        for n in range(3)
    )
    here = await replicas.open()

    report = await here.sweep()

    assert {(row["state"], row["due"]) for row in raw["jobs"].find()} == {("SCHEDULED", NOW)}
    assert counted(report) == {Repair.DAILY: 3, Repair.OVERDUE: 1}
    assert here.nudges


async def test_what_two_replicas_sweep_at_once_is_repaired_once_and_counted_once(
    replicas: Replicas, raw: Database[Row]
) -> None:
    due = NOW - timedelta(hours=2)
    raw["jobs"].insert_many(
        [
            *[orphan(number) for number in range(40)],
            *[orphan(number, begun=LONG_AGO) for number in range(40, 70)],
            *[
                encode(a_job(id=f"job-{n}", dedup_key=f"key-{n}", state=State.QUEUED, due=due))
                for n in range(70, 90)
            ],
        ]
    )
    here, there = await replicas.open(), await replicas.open()
    await here.marks.note([(f"job-{number}", "claim-1") for number in range(40, 50)])

    reports = await asyncio.gather(*[each.sweep() for each in (here, there, here, there)])

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
    raw["jobs"].insert_many([orphan(1), orphan(2, begun=LONG_AGO)])
    here = await replicas.open()
    await here.sweep()
    repaired = list(raw["jobs"].find())

    report = await here.sweep()

    assert counted(report) == {Repair.OVERDUE: 1}
    assert list(raw["jobs"].find()) == repaired


async def test_of_all_who_find_no_sweep_noted_one_sweeps(
    replicas: Replicas, raw: Database[Row]
) -> None:
    raw["jobs"].insert_one(encode(a_job()))
    here, there = await replicas.open(), await replicas.open()

    await asyncio.gather(*[r.sweep.if_unseen(12 * SECOND) for r in (here, there, here, there)])
    first = len(here.nudges) + len(there.nudges)
    replicas.clock.forward(12 * SECOND)
    await there.sweep.if_unseen(12 * SECOND)

    assert first == 1
    assert len(here.nudges) + len(there.nudges) == 2


async def test_every_process_sweeps_by_itself_when_nobody_did(
    replicas: Replicas, raw: Database[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.recovery.sweep.LOOK_EVERY", timedelta(milliseconds=10))
    raw["jobs"].insert_one(orphan())
    here = await replicas.open()

    async with running(here.sweep.run):
        await until(lambda: raw["jobs"].count_documents({"takebacks": 1}))


async def test_what_died_does_not_wait_for_the_next_sweep(
    replicas: Replicas, raw: Database[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.recovery.sweep.LOOK_EVERY", timedelta(milliseconds=10))
    here = await replicas.open()
    await here.sweep.if_unseen(12 * SECOND)  # the next one is due in twelve seconds
    raw["jobs"].insert_one(orphan())

    async with running(here.sweep.run):
        await until(lambda: raw["jobs"].count_documents({"takebacks": 1}))
        await until(lambda: here.nudges)


async def test_a_store_that_is_away_is_tried_again(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setattr("gcsched.usecases.recovery.sweep.LOOK_EVERY", timedelta(milliseconds=10))
    replicas.mongo_uri = f"mongodb://127.0.0.1:{unused_tcp_port}/?serverSelectionTimeoutMS=10"
    here = await replicas.open()

    tried: list[None] = []
    looking = here.sweep.recovery.orphans

    async def counting(most: int) -> Sequence[Orphan]:
        tried.append(None)
        return await looking(most)

    monkeypatch.setattr(MongoRecovery, "orphans", lambda _, most: counting(most))
    with capture_logs() as logs:
        async with running(here.sweep.run):
            await until(lambda: len(tried) == 3)

    assert [log["event"] for log in logs] == ["sweep waits"]


async def test_that_jobs_are_overdue_is_logged_once_in_five_minutes_and_repairs_each_time(
    replicas: Replicas, raw: Database[Row]
) -> None:
    here = await replicas.open()
    seconds = FixedSeconds()
    sweep = replace(here.sweep, log=RepairLog(clock=seconds))
    raw["jobs"].insert_one(encode(a_job(due=LONG_AGO)))

    with capture_logs() as logs:
        reports = [await sweep() for _ in range(3)]
        raw["jobs"].insert_one(orphan(2))
        await sweep()
        await sweep()
        seconds.now += 300
        await sweep()

    assert [counted(report) for report in reports] == [{Repair.OVERDUE: 1}] * 3
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
