"""Whether writes are confirmed is known from writes only. Each case does none, then one."""

from collections.abc import Awaitable
from datetime import timedelta
from typing import Protocol

import pytest
from pymongo.database import Database

from gcsched.adapters.mongo.admissions import MongoAdmissions
from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.adapters.mongo.meetings.event_meetings import MongoEventMeetings
from gcsched.adapters.mongo.recipients import MongoPersonalData
from gcsched.adapters.mongo.write_failures import WRITE_FAILURES, WriteFailures
from gcsched.domain.access import ANYONE, Client
from gcsched.domain.job import Job, State
from tests.support.builders import NOW, a_job, a_job_factory, a_request, a_revision, an_invitation
from tests.support.clocks import SECOND
from tests.support.named_callers import CLIENTS
from tests.support.rows import Row

WITHIN, KEPT = 5 * SECOND, timedelta(days=30)
OVER = a_revision().end


class Act(Protocol):
    """Calls the adapter, with something to write or without."""

    def __call__(self, *, is_writing: bool) -> Awaitable[object]: ...


@pytest.fixture
def failures(mongo: Mongo) -> WriteFailures:
    """Return a record of one failed write, which any confirmed write clears."""
    assert mongo.write_failures is not None
    record = WriteFailures()
    WRITE_FAILURES.set(record)
    record.record_failure("another write", "no majority")
    return record


async def check(failures: WriteFailures, act: Act) -> None:
    await act(is_writing=False)
    assert failures.problem is not None, "nothing was written, so nothing was confirmed"
    await act(is_writing=True)
    assert failures.problem is None


def a_job_of(client: Client, **request: object) -> Job:
    return a_job_factory().create(a_request(**request), now=NOW, client=client)


async def test_storing_meetings_that_are_stored_confirms_nothing(
    mongo: Mongo, raw: Database[Row], failures: WriteFailures
) -> None:
    meetings = MongoEventMeetings(mongo=mongo, retention=KEPT)
    raw["meetings"].insert_one({"_id": "meeting-1"})
    raw["jobs"].insert_one(encode(an_invitation()))

    async def record(*, is_writing: bool) -> None:
        if is_writing:
            raw["meetings"].delete_one({"_id": "meeting-1"})
        await meetings.record([], [("job-1", "meeting-1")], within=WITHIN)

    await check(failures, record)


async def test_finding_the_jobs_of_repeated_calls_confirms_nothing(
    mongo: Mongo, raw: Database[Row], failures: WriteFailures
) -> None:
    """Access was not controlled when the first call came, so its job is looked up."""
    raw["jobs"].insert_one(encode(a_job_of(ANYONE)))

    async def admit(*, is_writing: bool) -> None:
        job = a_job_of(CLIENTS["hr"], message="Lunch" if is_writing else "Stand-up")
        [answer] = await MongoAdmissions(mongo=mongo).admit([job], within=WITHIN)
        assert getattr(answer, "is_new", None) is is_writing

    await check(failures, admit)


async def test_erasing_no_meeting_confirms_nothing(
    mongo: Mongo, raw: Database[Row], failures: WriteFailures
) -> None:
    job = an_invitation(state=State.SENT)
    await MongoEventMeetings(mongo=mongo, retention=KEPT).record([job], [], within=WITHIN)
    raw["meetings"].update_one({}, {"$set": {"end": OVER}})
    failures.record_failure("another write", "no majority")

    async def erase(*, is_writing: bool) -> None:
        now = OVER if is_writing else NOW
        await MongoPersonalData(mongo=mongo).erase_meetings("E1", after="", most=10, now=now)

    await check(failures, erase)


async def test_changing_no_job_confirms_nothing(
    mongo: Mongo, raw: Database[Row], failures: WriteFailures
) -> None:
    """A job of a caller without a name holds the key that the retried one would take."""
    holder = a_job(id="job-2", dedup_key="key-1")
    failed = a_job(
        state=State.FAILED, client="hr", dedup_key=None, released_key="~hr:key-1", attempt=1
    )
    raw["jobs"].insert_many([encode(holder), encode(failed)])
    retried = a_job(
        state=State.RETRYING,
        client="hr",
        dedup_key="~hr:key-1",
        attempt=1,
        version=failed.version + 1,
    )

    async def change(*, is_writing: bool) -> None:
        if is_writing:
            raw["jobs"].delete_one({"_id": "job-2"})
        changes = MongoJobChanges(mongo=mongo, retention=KEPT)
        assert await changes.change_all([(failed, retried)]) == (int(is_writing), 0)

    await check(failures, change)
