"""Change many jobs on a real store; oracle: what the driver finds there."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_changes import MongoSteering
from gcsched.adapters.mongo.job_reader import MongoJobList
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.domain.commands import Cancel, Reopen
from gcsched.domain.job import Job, State
from gcsched.domain.job_list import JobFilter, Listing, Place
from gcsched.errors import NotFinished, StoreRefused, StoreUnavailable
from gcsched.usecases.management.change_jobs import ChangeJobs, Lot, ManyJobs, Pair
from gcsched.usecases.management.read_jobs import JobList, Page
from gcsched.usecases.wakeups import Ringer
from tests.support.builders import NOW, FixedClock, a_claimed_job, a_job, a_suppression
from tests.support.clocks import DAY
from tests.support.poisons import forbidden
from tests.support.rows import Rows
from tests.support.wakeups import SilentBell

LATER = NOW + timedelta(minutes=1)
SOON = timedelta(seconds=10)

FAR = NOW + 36_500 * DAY  # the server itself deletes what is over by its own clock
CANCEL, RETRY = Cancel(reason="called off"), Reopen(keep_trying=DAY, window=DAY)
EVERYTHING = JobFilter()


@dataclass
class Meddled:
    """A store in which *meddle* comes before each change."""

    store: ManyJobs
    meddle: Callable[[Sequence[Pair]], object]

    async def change_all(self, pairs: Sequence[Pair]) -> tuple[int, int]:
        self.meddle(pairs)
        return await self.store.change_all(pairs)

    async def settled(self, ids: Collection[str]) -> Sequence[Job]:
        return await self.store.settled(ids)


@dataclass
class Slow:
    """A store that takes *quick* batches, and the next one for ever."""

    store: ManyJobs
    quick: int

    async def change_all(self, pairs: Sequence[Pair]) -> tuple[int, int]:
        if not self.quick:
            await asyncio.Event().wait()
        self.quick -= 1
        return await self.store.change_all(pairs)

    async def settled(self, ids: Collection[str]) -> Sequence[Job]:
        return await self.store.settled(ids)


@dataclass
class Away:
    """A store that is away *times* times, after it has taken the first batch."""

    store: ManyJobs
    times: int
    taken: int = 0

    async def change_all(self, pairs: Sequence[Pair]) -> tuple[int, int]:
        if self.taken and self.times:
            self.times -= 1
            raise StoreUnavailable("changing jobs")
        self.taken += 1
        return await self.store.change_all(pairs)

    async def settled(self, ids: Collection[str]) -> Sequence[Job]:
        return await self.store.settled(ids)


@dataclass
class Unconfirmed:
    """A store that makes its first *fails* changes and says that nobody confirmed them."""

    store: ManyJobs
    fails: int

    async def change_all(self, pairs: Sequence[Pair]) -> tuple[int, int]:
        changed = await self.store.change_all(pairs)
        if self.fails:
            self.fails -= 1
            raise StoreUnavailable("changing jobs")
        return changed

    async def settled(self, ids: Collection[str]) -> Sequence[Job]:
        return await self.store.settled(ids)


@pytest.fixture
def nudges() -> list[str]:
    return []


@pytest.fixture
def change(mongo: Mongo, nudges: list[str]) -> ChangeJobs:
    clock = FixedClock(LATER)
    return ChangeJobs(
        list=MongoJobList(mongo=mongo),
        certain=MongoJobList(mongo=mongo, is_certain=True),
        store=MongoSteering(mongo=mongo, retention=timedelta(days=36500)),
        suppressions=MongoSuppressions(mongo=mongo),
        ringer=Ringer(bell=SilentBell(), nudge=lambda: nudges.append("now"), now=clock),
        now=clock,
    )


def one_of_each_state() -> list[Job]:
    return [
        a_job(
            id=state.value,
            state=state,
            dedup_key=f"key of {state}",
            request_id=f"request-{state}",
            empid=f"E-{state}",
        )
        for state in State
    ]


def store(jobs: Rows, some: Sequence[Job]) -> None:
    jobs.insert_many([encode(job) for job in some])


def states(jobs: Rows) -> dict[str, str]:
    return {row["_id"]: row["state"] for row in jobs.find()}


def many(count: int, **others: Any) -> list[Job]:
    return [
        a_job(**{"id": f"job-{n:05d}", "dedup_key": f"key-{n}", **others}) for n in range(count)
    ]


async def test_all_that_wait_are_cancelled_and_no_other(change: ChangeJobs, jobs: Rows) -> None:
    store(jobs, one_of_each_state())

    assert await change(Lot(filter=EVERYTHING, wish=CANCEL), within=SOON) == 4

    cancelled = dict.fromkeys(("QUEUED", "SCHEDULED", "RETRYING", "SENDING"), "CANCELLED")
    assert states(jobs) == {state: state for state in State} | cancelled
    assert {row["reason"] for row in jobs.find({"version": 1})} == {"called off"}


async def test_all_that_ended_unsent_are_opened_again_and_no_other(
    change: ChangeJobs, jobs: Rows, nudges: list[str]
) -> None:
    store(jobs, one_of_each_state())

    assert await change(Lot(filter=EVERYTHING, wish=RETRY), within=SOON) == 4

    opened = dict.fromkeys(("FAILED", "EXPIRED", "UNCERTAIN", "SUPPRESSED"), "RETRYING")
    assert states(jobs) == {state: state for state in State} | opened
    assert nudges, "they are due now"


async def test_what_is_only_counted_stays(change: ChangeJobs, jobs: Rows) -> None:
    store(jobs, one_of_each_state())
    before = list(jobs.find())

    counted = [
        await change(Lot(filter=EVERYTHING, wish=wish, only_count=True), within=SOON)
        for wish in (CANCEL, RETRY)
    ]

    assert counted == [4, 4]
    assert list(jobs.find()) == before


@pytest.mark.parametrize(
    ("wanted", "changed"),
    [
        (JobFilter(state=State.QUEUED), {"QUEUED"}),
        (JobFilter(state=State.SENT), set()),
        (JobFilter(empid="E-RETRYING"), {"RETRYING"}),
        (JobFilter(empid="E-SENDING"), {"SENDING"}),
        (JobFilter(state=State.SENDING), {"SENDING"}),
        (JobFilter(request_id="request-QUEUED"), {"QUEUED"}),
        (JobFilter(request_id="request-SENT"), set()),
        (JobFilter(email="ada@example.org"), {"QUEUED", "SCHEDULED", "RETRYING", "SENDING"}),
        (JobFilter(state=State.SCHEDULED, due_before=NOW), set()),
        (JobFilter(state=State.SCHEDULED, due_from=NOW), {"SCHEDULED"}),
    ],
    ids=lambda given: str(given) if isinstance(given, JobFilter) else " ".join(sorted(given)),
)
async def test_a_filter_says_which(
    change: ChangeJobs, jobs: Rows, wanted: JobFilter, changed: set[str]
) -> None:
    store(jobs, one_of_each_state())

    count = await change(Lot(filter=wanted, wish=CANCEL), within=SOON)

    assert count == len(changed)
    assert {row["_id"] for row in jobs.find({"version": 1})} == changed


async def test_more_than_one_batch_is_changed_to_the_last(change: ChangeJobs, jobs: Rows) -> None:
    store(jobs, many(1_201))

    assert await change(Lot(filter=EVERYTHING, wish=CANCEL), within=SOON) == 1_201

    assert set(states(jobs).values()) == {"CANCELLED"}
    assert await change(Lot(filter=EVERYTHING, wish=CANCEL), within=SOON) == 0


async def test_jobs_lost_to_a_change_that_leaves_them_waiting_are_looked_at_again(
    change: ChangeJobs, jobs: Rows
) -> None:
    store(jobs, many(10))
    left = iter([{"state": "RETRYING"}, {"state": "QUEUED"}])

    def meddle(_: Sequence[Pair]) -> None:
        if (other := next(left, None)) is not None:
            jobs.update_many(
                {"state": {"$ne": "CANCELLED"}}, {"$set": other, "$inc": {"version": 1}}
            )

    change = replace(change, store=Meddled(change.store, meddle))

    assert await change(Lot(filter=EVERYTHING, wish=CANCEL), within=SOON) == 10

    assert set(states(jobs).values()) == {"CANCELLED"}


@pytest.mark.parametrize("begun", [{}, {"begun": NOW}], ids=["claimed", "begun"])
async def test_jobs_lost_to_a_claim_are_cancelled_until_their_body_has_begun(
    change: ChangeJobs, jobs: Rows, begun: dict[str, Any]
) -> None:
    store(jobs, many(10))
    claimed = {"$set": {"state": "SENDING", "claim": "claim-1"} | begun, "$inc": {"version": 1}}
    some = {"_id": {"$in": ["job-00003", "job-00007"]}, "state": "SCHEDULED"}
    change = replace(change, store=Meddled(change.store, lambda _: jobs.update_many(some, claimed)))

    assert await change(Lot(filter=EVERYTHING, wish=CANCEL), within=SOON) == (8 if begun else 10)

    left = [name for name, state in states(jobs).items() if state == "SENDING"]
    assert left == (["job-00003", "job-00007"] if begun else [])
    gone = {"state": "CANCELLED", "$or": [{"claim": {"$exists": True}}, {"lease": {"$ne": None}}]}
    assert jobs.count_documents(gone) == 0


async def test_a_body_that_begins_in_that_moment_is_no_cancelled_job(
    change: ChangeJobs, jobs: Rows
) -> None:
    """The fence leaves the version as it was: the guard must look at its mark."""
    store(jobs, many(10, state=State.SENDING, claim="claim-1", version=1))
    some = {"_id": {"$in": ["job-00003", "job-00007"]}}
    begin = {"$set": {"begun": NOW}}
    change = replace(change, store=Meddled(change.store, lambda _: jobs.update_many(some, begin)))

    assert await change(Lot(filter=EVERYTHING, wish=CANCEL), within=SOON) == 8

    left = [name for name, state in states(jobs).items() if state == "SENDING"]
    assert left == ["job-00003", "job-00007"]


async def test_jobs_that_are_claimed_and_given_back_during_the_walk_are_found(
    change: ChangeJobs, jobs: Rows
) -> None:
    """They pass from list to list, each time behind the back of the walk."""
    store(jobs, [*many(5), a_job(id="other", dedup_key="o", state=State.SENDING, claim="c")])
    moves = iter(
        [
            ("SENDING", {"$set": {"state": "SCHEDULED"}, "$unset": {"claim": ""}}),
            ("SCHEDULED", {"$set": {"state": "SENDING", "claim": "d"}}),
        ]
    )

    def flip(_: Sequence[Pair]) -> None:
        state, move = next(moves, ("NONE", {}))
        if move:
            jobs.update_many({"_id": "other", "state": state}, move | {"$inc": {"version": 1}})

    change = replace(change, store=Meddled(change.store, flip))

    assert await change(Lot(filter=EVERYTHING, wish=CANCEL), within=SOON) == 6

    assert set(states(jobs).values()) == {"CANCELLED"}


async def test_jobs_that_come_during_the_walk_do_not_keep_it_going(
    change: ChangeJobs, jobs: Rows
) -> None:
    store(jobs, many(5))
    later = LATER + timedelta(seconds=10)
    new = iter(range(10_000))

    def admit(_: Sequence[Pair]) -> None:
        jobs.insert_one(encode(a_job(id=f"new-{next(new)}", created=later, dedup_key=None)))

    change = replace(change, store=Meddled(change.store, admit))

    assert await change(Lot(filter=EVERYTHING, wish=CANCEL), within=SOON) >= 5

    assert states(jobs)["job-00004"] == "CANCELLED"
    assert next(new) < 10


async def test_jobs_that_are_lost_again_and_again_are_not_said_to_be_done(
    change: ChangeJobs, jobs: Rows
) -> None:
    store(jobs, many(5))
    touch = {"$inc": {"version": 1}}
    change = replace(change, store=Meddled(change.store, lambda _: jobs.update_many({}, touch)))

    with pytest.raises(NotFinished):
        await change(Lot(filter=EVERYTHING, wish=CANCEL), within=timedelta(seconds=1))


@pytest.mark.parametrize("fails", [1, 2, 3])
async def test_what_was_changed_by_a_write_that_failed_is_counted_once(
    change: ChangeJobs, jobs: Rows, fails: int
) -> None:
    store(jobs, many(1_200))
    failing = replace(change, store=Unconfirmed(change.store, fails))

    assert await failing(Lot(filter=EVERYTHING, wish=CANCEL), within=SOON) == 1_200

    assert set(states(jobs).values()) == {"CANCELLED"}


async def test_what_others_changed_meanwhile_is_not_counted_after_a_write_that_failed(
    change: ChangeJobs, jobs: Rows
) -> None:
    store(jobs, many(10))
    theirs = {"$set": {"state": "CANCELLED", "since": NOW}, "$inc": {"version": 1}}
    some = {"_id": {"$in": ["job-00003", "job-00007"]}, "version": 0}
    meddled = Meddled(change.store, lambda _: jobs.update_many(some, theirs))
    failing = replace(change, store=Unconfirmed(meddled, 1))

    assert await failing(Lot(filter=EVERYTHING, wish=CANCEL), within=SOON) == 8


async def test_what_cannot_be_opened_again_is_passed_over(
    change: ChangeJobs, mongo: Mongo, jobs: Rows
) -> None:
    """One whose key another job has, one whose address is blocked, and one without a fault."""
    others = {"state": State.SUPPRESSED, "dedup_key": None}
    twin = a_job(id="twin", **others, released_key="key-1", email="bob@example.org")
    blocked = a_job(id="blocked", **others, released_key="key-2")
    good = a_job(id="good", **others, released_key="key-3", email="eve@example.org")
    store(jobs, [a_job(id="holder"), twin, blocked, good])
    await MongoSuppressions(mongo=mongo).add([a_suppression(until=FAR)])

    assert await change(Lot(filter=EVERYTHING, wish=RETRY), within=SOON) == 1

    assert states(jobs) == {
        "holder": "SCHEDULED",
        "twin": "SUPPRESSED",
        "blocked": "SUPPRESSED",
        "good": "RETRYING",
    }


async def test_what_fails_again_meanwhile_is_not_opened_twice(
    change: ChangeJobs, jobs: Rows
) -> None:
    store(jobs, many(501, state=State.FAILED, dedup_key=None))

    def fail_again(_: Sequence[Pair]) -> None:
        jobs.update_many(
            {"state": "RETRYING"},
            {"$set": {"state": "FAILED", "since": LATER + DAY, "due": LATER + DAY}},
        )

    change = replace(change, store=Meddled(change.store, fail_again))

    assert await change(Lot(filter=EVERYTHING, wish=RETRY), within=SOON) == 501


async def test_what_is_done_when_the_time_is_over_stays_done(
    change: ChangeJobs, jobs: Rows
) -> None:
    store(jobs, many(600))
    slow = replace(change, store=Slow(change.store, quick=1))
    lot = Lot(filter=EVERYTHING, wish=CANCEL)

    with pytest.raises(NotFinished) as caught:
        await slow(lot, within=timedelta(seconds=1))

    assert caught.value.metadata == {"count": "500"}
    assert sorted(states(jobs).values()) == ["CANCELLED"] * 500 + ["SCHEDULED"] * 100
    assert await change(lot, within=SOON) == 100


async def test_a_store_that_is_away_for_a_moment_is_waited_for_and_nothing_is_counted_twice(
    change: ChangeJobs, jobs: Rows
) -> None:
    store(jobs, many(600))
    away = replace(change, store=Away(change.store, times=1))

    assert await away(Lot(filter=EVERYTHING, wish=CANCEL), within=SOON) == 600

    assert set(states(jobs).values()) == {"CANCELLED"}


async def test_what_was_done_before_the_store_went_away_is_told(
    change: ChangeJobs, jobs: Rows
) -> None:
    store(jobs, many(600))
    away = replace(change, store=Away(change.store, times=1_000))

    with pytest.raises(NotFinished) as caught:
        await away(Lot(filter=EVERYTHING, wish=CANCEL), within=timedelta(seconds=1))

    assert caught.value.metadata == {"count": "500"}


async def test_a_store_that_is_away_all_the_time_is_said_to_be(
    change: ChangeJobs, jobs: Rows
) -> None:
    store(jobs, many(1))
    away = replace(change, store=Away(change.store, times=1_000, taken=1))

    with pytest.raises(StoreUnavailable):
        await away(Lot(filter=EVERYTHING, wish=CANCEL), within=timedelta(seconds=0.2))


async def test_a_count_that_is_not_finished_says_that_nothing_was_changed(
    change: ChangeJobs, jobs: Rows
) -> None:
    store(jobs, one_of_each_state())

    with pytest.raises(NotFinished) as caught:
        await change(Lot(filter=EVERYTHING, wish=RETRY, only_count=True), within=timedelta(0))

    assert "nothing was changed" in str(caught.value)


async def test_as_many_as_are_counted_are_cancelled(change: ChangeJobs, jobs: Rows) -> None:
    store(jobs, [*one_of_each_state(), *many(600, state=State.RETRYING)])

    counted = await change(Lot(filter=EVERYTHING, wish=CANCEL, only_count=True), within=SOON)

    assert counted == await change(Lot(filter=EVERYTHING, wish=CANCEL), within=SOON) == 604


async def test_what_has_begun_is_neither_counted_nor_cancelled(
    change: ChangeJobs, jobs: Rows
) -> None:
    claimed = {"state": State.SENDING, "claim": "claim-1"}
    store(jobs, [*many(3, **claimed), a_job(id="begun", dedup_key="k", **claimed, begun=NOW)])

    counted = await change(Lot(filter=EVERYTHING, wish=CANCEL, only_count=True), within=SOON)

    assert counted == await change(Lot(filter=EVERYTHING, wish=CANCEL), within=SOON) == 3
    assert states(jobs)["begun"] == "SENDING"


async def test_a_job_that_cannot_be_changed_stops_no_other_and_is_no_success(
    change: ChangeJobs, jobs: Rows
) -> None:
    store(jobs, many(5))

    with forbidden(jobs, "job-00002"), pytest.raises(StoreRefused) as told:
        await change(Lot(filter=EVERYTHING, wish=CANCEL), within=SOON)

    assert "1 jobs stay as they are (job-00002) and 4 were changed" in str(told.value)
    assert told.value.problem == "validation"
    assert jobs.count_documents({"state": "CANCELLED"}) == 4


@dataclass
class Listed:
    """Lists of jobs; *meddle* comes before each page of what is being sent."""

    store: JobList
    meddle: Callable[[], object]

    async def page(
        self, listing: Listing, after: Place | None, *, most: int, is_full: bool
    ) -> Page:
        if listing.filter.state is State.SENDING:
            self.meddle()
        return await self.store.page(listing, after, most=most, is_full=is_full)

    async def count(self, wanted: JobFilter, *, most: int) -> int:
        return await self.store.count(wanted, most=most)


async def test_a_job_that_goes_back_between_the_lists_is_cancelled(
    change: ChangeJobs, jobs: Rows
) -> None:
    """Its state waits when the lists of what waits have been read for the last time."""
    store(jobs, [replace(a_claimed_job(), begun=NOW)])

    def go_back() -> None:
        back = {"$set": {"state": "RETRYING"}, "$unset": {"claim": "", "begun": ""}}
        jobs.update_one({"state": "SENDING"}, back)

    meddled = replace(change, certain=Listed(change.certain, go_back))

    assert await meddled(Lot(filter=EVERYTHING, wish=CANCEL), within=SOON) == 1
    assert states(jobs) == {"job-1": "CANCELLED"}
