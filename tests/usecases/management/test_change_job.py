"""Change one job on a real store while others change it at the same moment."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gcsched.adapters.mongo.codec import decode, encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.domain import commands
from gcsched.domain.checks import require_valid
from gcsched.domain.commands import Cancel, JobCommand, Resolve, Retry
from gcsched.domain.due import DailyPlan
from gcsched.domain.ids import etag_of
from gcsched.domain.job import Job, State
from gcsched.errors import (
    EtagMismatch,
    IllegalTransition,
    JobContended,
    StoreUnavailable,
    UnknownJob,
)
from gcsched.usecases.management.change_job import ChangeJob
from gcsched.usecases.ports import JobChanges
from gcsched.usecases.wakeups import WakeUps
from tests.support.builders import (
    AN_ACTOR,
    NOON,
    NOW,
    FixedClock,
    a_claimed_job,
    a_job,
    a_suppression,
    an_attempt,
)
from tests.support.clocks import DAY
from tests.support.log_events import Events, find_events
from tests.support.named_callers import an_actor_of
from tests.support.rows import Rows

LATER = NOW + timedelta(minutes=1)
SOON = timedelta(seconds=5)

PLAN = DailyPlan(at=time(10), zone=ZoneInfo("UTC"))


@dataclass
class RecordingQueue:
    """Records the seconds that were enqueued."""

    enqueued: list[int] = field(default_factory=list)

    async def enqueue(self, second: int) -> None:
        self.enqueued.append(second)

    async def find_missing(self, seconds: Collection[int]) -> Collection[int]:
        return seconds


@dataclass
class InterferingStore:
    """A store; *interfere* is called between the read and the change."""

    store: JobChanges
    interfere: Callable[[Job], Awaitable[None]]

    async def find(self, job_id: str) -> Job | None:
        job = await self.store.find(job_id)
        if job is not None:
            await self.interfere(job)
        return job

    async def is_committed(self, job: Job) -> bool:
        return await self.store.is_committed(job)

    async def change(self, seen: Job, changed: Job, *, within: timedelta) -> bool:
        return await self.store.change(seen, changed, within=within)


@dataclass
class LosesReplies:
    """A store that makes changes but raises an error instead of the reply, *count* times."""

    store: JobChanges
    count: int

    async def find(self, job_id: str) -> Job | None:
        return await self.store.find(job_id)

    async def is_committed(self, job: Job) -> bool:
        return await self.store.is_committed(job)

    async def change(self, seen: Job, changed: Job, *, within: timedelta) -> bool:
        is_changed = await self.store.change(seen, changed, within=within)
        if self.count:
            self.count -= 1
            raise StoreUnavailable("changing a job")
        return is_changed


@dataclass
class NotYetCommitted:
    """A store whose majority is away for a number of reads."""

    store: JobChanges
    failures: int

    async def find(self, job_id: str) -> Job | None:
        return await self.store.find(job_id)

    async def is_committed(self, job: Job) -> bool:
        self.failures -= 1
        return self.failures < 0 and await self.store.is_committed(job)

    async def change(self, seen: Job, changed: Job, *, within: timedelta) -> bool:
        return await self.store.change(seen, changed, within=within)


@pytest.fixture
def store(mongo: Mongo) -> MongoJobChanges:
    return MongoJobChanges(mongo=mongo, retention=timedelta(days=36500))


@pytest.fixture
def queue() -> RecordingQueue:
    return RecordingQueue()


@pytest.fixture
async def wake_ups(queue: RecordingQueue) -> AsyncIterator[WakeUps]:
    wake_ups, stop = (
        WakeUps(queue=queue, nudge=lambda: None, now=FixedClock(LATER)),
        asyncio.Event(),
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(wake_ups.run(stop))
        yield wake_ups
        stop.set()


@pytest.fixture
def change_job(store: MongoJobChanges, mongo: Mongo, wake_ups: WakeUps) -> ChangeJob:
    suppressions = MongoSuppressions(mongo=mongo)
    return ChangeJob(
        store=store, suppressions=suppressions, wake_ups=wake_ups, now=FixedClock(LATER)
    )


def a_reschedule(timestamp: int) -> JobCommand:
    return require_valid(
        commands.parse_reschedule(timestamp, plan=PLAN, keep_trying=DAY, now=LATER)
    )


def the_job(jobs: Rows) -> Job:
    [row] = jobs.find()
    return decode(row)


async def test_an_unknown_job_is_not_found(change_job: ChangeJob) -> None:
    with pytest.raises(UnknownJob):
        await change_job.change("job-1", Cancel(), etag="", actor=AN_ACTOR, within=SOON)


COMMANDS: dict[str, JobCommand] = {
    "cancel": Cancel(),
    "retry": Retry(keep_trying=DAY, window=DAY),
    "resolve": Resolve(state=State.SENT, reason=""),
}


@pytest.mark.parametrize(
    "command", [pytest.param(each, id=name) for name, each in COMMANDS.items()]
)
@pytest.mark.parametrize("etag", ["", "old"])
@pytest.mark.parametrize(
    "row",
    [
        encode(a_job(client="payroll")),
        encode(a_job()),
        encode(a_job(client="payroll", state=State.CANCELLED)),
        encode(a_job(client="payroll")) | {"created": "yesterday"},
    ],
    ids=["waiting", "without a client", "satisfied", "unreadable"],
)
async def test_a_job_of_another_client_is_unknown_whatever_its_state(
    change_job: ChangeJob, jobs: Rows, row: dict[str, Any], command: JobCommand, etag: str
) -> None:
    jobs.insert_one(row)

    with pytest.raises(UnknownJob) as raised:
        await change_job.change("job-1", command, etag=etag, within=SOON, actor=an_actor_of("hr"))

    assert str(raised.value) == str(UnknownJob("job-1"))
    assert raised.value.metadata == {"job_id": "job-1"}
    assert list(jobs.find()) == [row]


@pytest.mark.parametrize("name", ["payroll", "reader"])
async def test_a_job_is_changed_by_its_client_and_with_the_scope_read(
    change_job: ChangeJob, jobs: Rows, name: str
) -> None:
    jobs.insert_one(encode(a_job(client="payroll")))

    changed = await change_job.change(
        "job-1", Cancel(), etag="", within=SOON, actor=an_actor_of(name)
    )

    assert (changed.state, changed.client) == (State.CANCELLED, "payroll")


async def test_the_returned_job_is_the_stored_one(change_job: ChangeJob, jobs: Rows) -> None:
    jobs.insert_one(encode(a_job()))

    answered = await change_job.change(
        "job-1", Cancel(reason="moved"), etag="", actor=AN_ACTOR, within=SOON
    )

    assert answered == the_job(jobs)
    assert (answered.state, answered.reason, answered.version) == ("CANCELLED", "moved", 1)


@pytest.mark.parametrize(
    "case",
    [
        (State.SCHEDULED, Cancel(), "job cancelled"),
        (State.SCHEDULED, a_reschedule(0), "job rescheduled"),
        (State.FAILED, Retry(keep_trying=DAY, window=DAY), "job retried"),
        (State.UNCERTAIN, Resolve(state=State.SENT, reason="seen"), "job resolved"),
    ],
    ids=lambda case: case[2],
)
async def test_a_change_is_logged_under_the_verb_of_its_command(
    change_job: ChangeJob, jobs: Rows, events: Events, case: tuple[State, JobCommand, str]
) -> None:
    state, command, event = case
    jobs.insert_one(encode(a_job(state=state)))

    await change_job.change("job-1", command, etag="", actor=AN_ACTOR, within=SOON)

    assert find_events(events, event) == [
        {
            "event": event,
            "log_level": "info",
            "job_id": "job-1",
            "previous_state": state.value,
            "client": AN_ACTOR.name,
        }
    ]


async def test_cancelling_again_changes_nothing(change_job: ChangeJob, jobs: Rows) -> None:
    jobs.insert_one(encode(a_job()))
    before = a_job()
    first = await change_job.change(
        "job-1", Cancel(reason="moved"), etag=etag_of(before), actor=AN_ACTOR, within=SOON
    )

    again = await change_job.change(
        "job-1", Cancel(reason="else"), etag=etag_of(before), actor=AN_ACTOR, within=SOON
    )

    assert again == first == the_job(jobs)


async def test_with_an_etag_only_the_job_that_was_read_is_changed(
    change_job: ChangeJob, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job(version=4)))

    with pytest.raises(EtagMismatch):
        await change_job.change(
            "job-1", Cancel(), etag=etag_of(a_job(version=3)), actor=AN_ACTOR, within=SOON
        )

    assert the_job(jobs) == a_job(version=4)
    changed = await change_job.change(
        "job-1", Cancel(), etag=etag_of(a_job(version=4)), actor=AN_ACTOR, within=SOON
    )
    assert changed.state is State.CANCELLED


async def test_an_etag_mismatch_is_reported_before_an_illegal_move(
    change_job: ChangeJob, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job(state=State.SENT, version=5)))

    with pytest.raises(EtagMismatch):
        await change_job.change(
            "job-1", Cancel(), etag=etag_of(a_job()), actor=AN_ACTOR, within=SOON
        )
    with pytest.raises(IllegalTransition):
        await change_job.change("job-1", Cancel(), etag="", actor=AN_ACTOR, within=SOON)


def bump_version(jobs: Rows, times: int, **change: Any) -> Callable[[Job], Awaitable[None]]:
    """Return a function that makes another version of the job, *times* times."""
    left = iter(range(times))

    async def bump(job: Job) -> None:
        if next(left, None) is not None:
            jobs.update_one({"_id": job.id}, {"$set": change, "$inc": {"version": 1}})

    return bump


async def test_a_lost_race_is_retried(
    change_job: ChangeJob, store: MongoJobChanges, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job()))
    change_job = replace(change_job, store=InterferingStore(store, bump_version(jobs, 4)))

    changed = await change_job.change("job-1", Cancel(), etag="", actor=AN_ACTOR, within=SOON)

    assert (changed.state, changed.version) == ("CANCELLED", 5)


async def test_a_lost_race_is_retried_five_times_at_most(
    change_job: ChangeJob, store: MongoJobChanges, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job()))
    change_job = replace(change_job, store=InterferingStore(store, bump_version(jobs, 100)))

    with pytest.raises(JobContended):
        await change_job.change("job-1", Cancel(), etag="", actor=AN_ACTOR, within=SOON)

    assert (the_job(jobs).state, the_job(jobs).version) == ("SCHEDULED", 5)


async def test_a_caller_with_an_etag_does_not_retry(
    change_job: ChangeJob, store: MongoJobChanges, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job()))
    change_job = replace(change_job, store=InterferingStore(store, bump_version(jobs, 1)))

    with pytest.raises(EtagMismatch):
        await change_job.change(
            "job-1", Cancel(), etag=etag_of(a_job()), actor=AN_ACTOR, within=SOON
        )

    assert the_job(jobs) == a_job(version=1)


@pytest.mark.parametrize(
    "command", [Cancel(), a_reschedule(NOON + 90), a_reschedule(0)], ids=["cancel", "time", "daily"]
)
async def test_a_job_that_is_claimed_at_that_moment_loses_its_claim(
    change_job: ChangeJob, store: MongoJobChanges, jobs: Rows, command: JobCommand
) -> None:
    jobs.insert_one(encode(a_job()))
    claim = bump_version(jobs, 1, state="SENDING", since=LATER, claim="claim-1", lease=LATER + DAY)
    change_job = replace(change_job, store=InterferingStore(store, claim))

    changed = await change_job.change("job-1", command, etag="", actor=AN_ACTOR, within=SOON)

    assert changed == the_job(jobs)
    assert changed.state in {"CANCELLED", "SCHEDULED", "QUEUED"}
    [row] = jobs.find()
    assert {"claim", "lease", "begun"}.isdisjoint(row)


async def test_a_job_whose_body_begins_at_that_moment_is_not_changed(
    change_job: ChangeJob, store: MongoJobChanges, jobs: Rows
) -> None:
    """The fence does not change the version, so the guard must check the begun mark."""
    jobs.insert_one(encode(a_claimed_job()))

    async def begin(job: Job) -> None:
        jobs.update_one({"_id": job.id}, {"$set": {"begun": LATER}})

    change_job = replace(change_job, store=InterferingStore(store, begin))

    with pytest.raises(IllegalTransition):
        await change_job.change("job-1", Cancel(), etag="", actor=AN_ACTOR, within=SOON)

    assert the_job(jobs) == a_claimed_job(begun=LATER)


async def test_a_job_whose_body_has_begun_cannot_be_cancelled(
    change_job: ChangeJob, store: MongoJobChanges, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job()))
    claim = bump_version(jobs, 1, state="SENDING", since=LATER, claim="claim-1", begun=LATER)
    change_job = replace(change_job, store=InterferingStore(store, claim))

    with pytest.raises(IllegalTransition) as raised:
        await change_job.change("job-1", Cancel(), etag="", actor=AN_ACTOR, within=SOON)

    assert raised.value.metadata == {
        "job_id": "job-1",
        "state": "SENDING",
        "state_time": "2026-07-01T12:01:00+00:00",
    }


@pytest.mark.parametrize("etag", ["", etag_of(a_job())], ids=["no etag", "etag"])
async def test_a_change_whose_answer_was_lost_is_recognized(
    change_job: ChangeJob, store: MongoJobChanges, jobs: Rows, etag: str
) -> None:
    jobs.insert_one(encode(a_job()))
    change_job = replace(change_job, store=LosesReplies(store, 1))

    changed = await change_job.change(
        "job-1", Cancel(reason="moved"), etag=etag, actor=AN_ACTOR, within=SOON
    )

    assert changed == the_job(jobs)
    assert changed.version == 1


async def test_a_job_that_only_the_primary_has_is_not_confirmed(
    change_job: ChangeJob, store: MongoJobChanges, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job(state=State.CANCELLED)))
    back_soon = replace(change_job, store=NotYetCommitted(store, 2))
    for_long = replace(change_job, store=NotYetCommitted(store, 1000))

    assert await back_soon.change(
        "job-1", Cancel(), etag="", actor=AN_ACTOR, within=SOON
    ) == the_job(jobs)
    with pytest.raises(StoreUnavailable):
        await for_long.change(
            "job-1", Cancel(), etag="", actor=AN_ACTOR, within=timedelta(seconds=0.3)
        )


async def test_a_store_that_stays_silent_fails_the_call_in_time(
    change_job: ChangeJob, store: MongoJobChanges, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job()))

    async def for_ever(_: Job) -> None:
        await asyncio.Event().wait()

    change_job = replace(change_job, store=InterferingStore(store, for_ever))

    with pytest.raises(StoreUnavailable):
        await change_job.change(
            "job-1", Cancel(), etag="", actor=AN_ACTOR, within=timedelta(seconds=0.2)
        )


async def test_a_wake_up_is_scheduled_for_a_job_due_soon(
    change_job: ChangeJob, jobs: Rows, queue: RecordingQueue
) -> None:
    jobs.insert_one(encode(a_job(due_time=NOW + DAY)))
    soon = NOON + 90

    await change_job.change("job-1", a_reschedule(soon), etag="", actor=AN_ACTOR, within=SOON)

    assert queue.enqueued == [soon]


async def test_a_wake_up_is_scheduled_now_for_a_retried_job(
    change_job: ChangeJob, jobs: Rows, queue: RecordingQueue
) -> None:
    jobs.insert_one(encode(a_job(state=State.EXPIRED, attempts=(an_attempt(),))))

    retried = await change_job.change(
        "job-1", Retry(keep_trying=DAY, window=DAY), etag="", actor=AN_ACTOR, within=SOON
    )

    assert (retried.state, retried.due_time) == ("RETRYING", LATER)
    assert queue.enqueued == [NOON + 60]


async def test_no_wake_up_is_scheduled_for_a_job_of_the_daily_run(
    change_job: ChangeJob, jobs: Rows, queue: RecordingQueue
) -> None:
    jobs.insert_one(encode(a_job()))

    queued = await change_job.change("job-1", a_reschedule(0), etag="", actor=AN_ACTOR, within=SOON)

    assert (queued.state, queued.due_time) == ("QUEUED", datetime(2026, 7, 2, 10, tzinfo=UTC))
    assert queue.enqueued == []


async def test_a_suppressed_job_can_be_retried_once_its_suppression_is_removed(
    change_job: ChangeJob, mongo: Mongo, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job(state=State.SUPPRESSED)))
    suppressions = MongoSuppressions(mongo=mongo)
    # Far: the server deletes expired documents by its own clock.
    await suppressions.add([a_suppression(expire_time=LATER + 36_500 * DAY)])
    retry = Retry(keep_trying=DAY, window=DAY)

    with pytest.raises(IllegalTransition):
        await change_job.change("job-1", retry, etag="", actor=AN_ACTOR, within=SOON)
    await suppressions.add([a_suppression(expire_time=LATER)])
    retried = await change_job.change("job-1", retry, etag="", actor=AN_ACTOR, within=SOON)

    assert retried.state is State.RETRYING
