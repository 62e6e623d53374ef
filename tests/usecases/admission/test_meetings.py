"""Requests with an event, from the call to the stored meeting."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from gcsched.adapters.mongo.admissions import MongoAdmissions
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.meetings.event_meetings import MongoEventMeetings
from gcsched.domain.access import ANYONE, Client, Scope
from gcsched.domain.dedup import AdmissionResult
from gcsched.domain.request import MeetRequest
from gcsched.errors import InvalidRequest, RequestIdReused, StoreRefused, StoreUnavailable
from gcsched.usecases.admission.submit import Submit
from tests.support.builders import (
    NOON,
    WITH_INVITATIONS,
    FixedClock,
    a_job_factory,
    a_request,
    an_event,
)
from tests.support.clocks import SECOND
from tests.support.rows import Row
from tests.support.wait import until
from tests.usecases.admission.test_submit import LONG, run_submit

FACTORY = a_job_factory(context=WITH_INVITATIONS)
HR = Client(name="hr", scopes=frozenset(Scope))


@pytest.fixture
async def submit(mongo: Mongo, redis_url: str, clock: FixedClock) -> AsyncIterator[Submit]:
    async with run_submit(mongo, redis_url, now=clock, factory=FACTORY) as submit:
        yield submit


@pytest.fixture
def raw(raw: Database[Row], mongo: Mongo) -> Database[Row]:
    assert raw.name == mongo.database.name
    return raw


def an_event_request(number: int = 0, **others: Any) -> MeetRequest:
    ordinary = {"event": an_event(), "template": "invitation", "message": f"Review {number}"}
    return a_request(**{**ordinary, **others})


def ids(raw: Database[Row], collection: str) -> list[str]:
    return sorted(row["_id"] for row in raw[collection].find())


async def test_the_meeting_of_an_answer_is_stored(submit: Submit, raw: Database[Row]) -> None:
    answer = await submit.submit(an_event_request(), within=LONG, client=ANYONE)

    [job] = raw["jobs"].find()
    assert answer.meeting_id == job["invitation"]["meeting"]
    assert ids(raw, "meetings") == [answer.meeting_id]
    assert ids(raw, "meeting_revisions") == [f"{answer.meeting_id}:1"]
    assert job["not_after"] == datetime(2027, 1, 5, 8, tzinfo=UTC)


async def test_a_repeated_call_has_the_same_meeting_and_sentence(
    submit: Submit, raw: Database[Row], clock: FixedClock
) -> None:
    request = an_event_request(event=an_event(start="2027-03-28T02:30"))
    first = await submit.submit(request, within=LONG, client=ANYONE)
    clock.advance(SECOND)
    again = await submit.submit(request, within=LONG, client=ANYONE)
    clock.advance(timedelta(days=365))
    late = await submit.submit(request, within=LONG, client=ANYONE)

    assert again.outcome == late.outcome == "REPLAYED"
    assert first.meeting_id == again.meeting_id == late.meeting_id
    assert first.time_note == again.time_note == late.time_note
    assert "does not exist in Europe/Berlin" in first.time_note
    assert len(ids(raw, "meetings")) == 1


async def test_a_daily_call_is_answered_between_the_last_run_and_the_start(
    submit: Submit, clock: FixedClock
) -> None:
    """The last run before the start is at 10:00 in Berlin."""
    request = an_event_request(timestamp=0, event=an_event(start="2026-07-02T15:00"))
    first = await submit.submit(request, within=LONG, client=ANYONE)
    clock.now = datetime(2026, 7, 2, 9, tzinfo=UTC)

    again = await submit.submit(request, within=LONG, client=ANYONE)

    assert first.outcome == "QUEUED_FOR_DAILY"
    assert (again.outcome, again.job_id) == ("REPLAYED", first.job_id)
    assert again.meeting_id == first.meeting_id
    another = an_event_request(1, timestamp=0, event=an_event(start="2026-07-02T15:00"))
    with pytest.raises(InvalidRequest, match="the next daily run"):
        await submit.submit(another, within=LONG, client=ANYONE)


async def test_other_callers_and_request_ids_have_their_own_meetings(submit: Submit) -> None:
    request = an_event_request()
    by_id = an_event_request(request_id="R")
    calls = [(request, ANYONE), (request, HR), (by_id, ANYONE)]
    answers = [await submit.submit(each, within=LONG, client=c) for each, c in calls]
    again = [await submit.submit(each, within=LONG, client=c) for each, c in calls]

    # A client finds the job that was scheduled while access was not controlled.
    assert [each.outcome for each in answers] == ["CREATED", "REPLAYED", "CREATED"]
    assert [each.meeting_id for each in again] == [each.meeting_id for each in answers]
    other = an_event_request(request_id="R", event=an_event(location="Room 5"))
    with pytest.raises(RequestIdReused):
        await submit.submit(other, within=LONG, client=ANYONE)


async def test_a_client_has_its_own_meeting(submit: Submit, raw: Database[Row]) -> None:
    first = await submit.submit(an_event_request(), within=LONG, client=HR)
    again = await submit.submit(an_event_request(), within=LONG, client=HR)

    assert first.meeting_id == again.meeting_id
    [meeting] = raw["meetings"].find()
    assert meeting["client"] == "hr"


async def test_a_batch_has_the_meetings_of_its_events(submit: Submit, raw: Database[Row]) -> None:
    requests = [
        an_event_request(1),
        a_request(),
        an_event_request(2, event=an_event(url="nowhere")),
        an_event_request(3),
        an_event_request(1),
    ]

    answers = await submit.submit_all(requests, within=LONG, client=ANYONE)

    one, plain, invalid, three, again = answers
    assert isinstance(invalid, InvalidRequest)
    for each in (one, plain, three, again):
        assert isinstance(each, AdmissionResult)
    stored = [getattr(each, "meeting_id", "") for each in answers]
    assert stored[0] == stored[4]
    assert ids(raw, "meetings") == sorted({stored[0], stored[3]})
    assert (stored[1], len(set(stored) - {""})) == ("", 2)


async def test_200_identical_calls_are_one_meeting(submit: Submit, raw: Database[Row]) -> None:
    calls = [submit.submit(an_event_request(), within=LONG, client=ANYONE) for _ in range(200)]

    answers = await asyncio.gather(*calls)

    assert [*{each.meeting_id for each in answers}] == ids(raw, "meetings")


async def test_a_call_whose_meeting_is_not_stored_fails_and_a_repetition_stores_it(
    submit: Submit, raw: Database[Row]
) -> None:
    raw.command("collMod", "meetings", validator={"never": True})
    try:
        plain = submit.submit(a_request(), within=LONG, client=ANYONE)
        invited = submit.submit(an_event_request(), within=LONG, client=ANYONE)
        answers = await asyncio.gather(plain, invited, return_exceptions=True)
    finally:
        raw.command("collMod", "meetings", validator={})

    assert isinstance(answers[0], AdmissionResult)
    assert isinstance(answers[1], StoreUnavailable)
    assert raw["jobs"].count_documents({}) == 2
    again = await submit.submit(an_event_request(), within=LONG, client=ANYONE)
    assert again.outcome == "REPLAYED"
    assert ids(raw, "meetings") == [again.meeting_id]


@pytest.fixture
def may_record(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Return what meetings are stored after."""
    may_record, record = asyncio.Event(), MongoEventMeetings.record

    async def wait_and_record(
        self: MongoEventMeetings, *args: Any, within: timedelta
    ) -> Mapping[str, StoreUnavailable]:
        await may_record.wait()
        return await record(self, *args, within=within)

    monkeypatch.setattr(MongoEventMeetings, "record", wait_and_record)
    return may_record


async def test_calls_without_an_event_do_not_wait_for_meetings(
    submit: Submit, raw: Database[Row], may_record: asyncio.Event
) -> None:
    async def call(request: MeetRequest) -> AdmissionResult:
        return await submit.submit(request, within=LONG, client=ANYONE)

    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(call(an_event_request(1)))
        together = tasks.create_task(call(a_request(message="together")))
        assert (await together).outcome == "CREATED"
        second = tasks.create_task(call(an_event_request(2)))
        [later] = await submit.submit_all([a_request(message="later")], within=LONG, client=ANYONE)
        await until(lambda: raw["jobs"].count_documents({}) == 4)
        assert isinstance(later, AdmissionResult)
        assert (first.done(), second.done(), ids(raw, "meetings")) == (False, False, [])
        may_record.set()

    assert ids(raw, "meetings") == sorted(each.result().meeting_id for each in (first, second))


async def test_a_call_with_an_event_ends_in_its_time_though_its_meeting_is_not_stored(
    submit: Submit, may_record: asyncio.Event
) -> None:
    """The meetings collection does not reply at all."""
    batch = [an_event_request(1), a_request(), an_event_request(request_id="R")]
    single = submit.submit(an_event_request(2), within=SECOND, client=ANYONE)
    both = asyncio.gather(
        single, submit.submit_all(batch, within=SECOND, client=ANYONE), return_exceptions=True
    )

    error, answers = await both
    may_record.set()

    assert isinstance(error, StoreUnavailable)
    assert "storing the meeting" in str(error)
    assert not isinstance(answers, BaseException)
    assert [type(each) for each in answers] == [StoreUnavailable, AdmissionResult, StoreUnavailable]


async def test_a_meeting_that_is_refused_fails_no_other_call(
    submit: Submit, raw: Database[Row]
) -> None:
    raw.command("collMod", "meetings", validator={"attendees.empid": {"$ne": "bad"}})
    requests = [an_event_request(1), an_event_request(2, empid="bad"), an_event_request(3)]
    try:
        batch = await submit.submit_all(requests, within=LONG, client=ANYONE)
        again = await submit.submit_all(requests, within=LONG, client=ANYONE)
    finally:
        raw.command("collMod", "meetings", validator={})

    for answers in (batch, again):
        one, refused, three = answers
        assert isinstance(refused, StoreRefused)
        assert isinstance(one, AdmissionResult)
        assert isinstance(three, AdmissionResult)
        assert ids(raw, "meetings") == sorted([one.meeting_id, three.meeting_id])


async def test_a_process_that_dies_after_the_job_has_promised_nothing(
    submit: Submit, mongo: Mongo, raw: Database[Row], clock: FixedClock
) -> None:
    """All that it stored is the job; the call is repeated at another process."""
    job = FACTORY.create(an_event_request(), now=clock(), client=ANYONE)
    await MongoAdmissions(mongo=mongo).admit([job], within=LONG)

    again = await submit.submit(an_event_request(), within=LONG, client=ANYONE)

    assert job.meeting is not None
    assert (again.job_id, again.meeting_id) == (job.id, job.meeting.meeting_id)
    assert ids(raw, "meetings") == [job.meeting.meeting_id]


async def test_a_request_without_an_event_makes_no_meeting(
    submit: Submit, raw: Database[Row]
) -> None:
    answer = await submit.submit(a_request(timestamp=NOON), within=LONG, client=ANYONE)

    assert (answer.meeting_id, ids(raw, "meetings")) == ("", [])
