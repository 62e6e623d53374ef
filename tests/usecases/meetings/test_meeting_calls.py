"""Calls about meetings while stores fail, races are lost or time passes, on a real MongoDB."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.meetings.meeting_jobs import MongoMeetingJobs
from gcsched.adapters.mongo.meetings.store import MongoMeetings
from gcsched.domain.access import ANYONE, Client
from gcsched.domain.actor import Actor
from gcsched.domain.meetings.drafts import AttendeeDraft, MeetingDraft
from gcsched.domain.meetings.meeting import MeetingState
from gcsched.domain.meetings.requested_changes import (
    RequestedAttendees,
    RequestedCancellation,
    RequestedChange,
    RequestedUpdate,
)
from gcsched.errors import (
    AdmissionClosed,
    ClientLimit,
    InvalidRequest,
    MeetingContended,
    MeetingOver,
    StoreUnavailable,
)
from gcsched.usecases.meetings.change import MeetingChange
from gcsched.usecases.meetings.result import MeetingResult
from tests.support.builders import FixedClock, a_client, an_event
from tests.support.corrupt_jobs import RETENTION
from tests.support.meeting_calls import create_meeting_methods
from tests.support.rows import Row

SOON, BRIEFLY = timedelta(seconds=10), timedelta(seconds=0.4)
ALWAYS = 10**6
ADA, BOB = (AttendeeDraft(email=f"{name}@example.org") for name in ("ada", "bob"))


class FaultyStore:
    """A real store whose methods fail *before* or *after* they act, as often as a test says."""

    def __init__(self, real: object) -> None:
        self._real = real
        self.before = Counter[str]()
        self.after = Counter[str]()
        self.lost_races = 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)

        async def call(*arguments: Any, **others: Any) -> Any:
            fail_if_due(self.before, name)
            if name == "replace" and self.lost_races:
                self.lost_races -= 1
                return False
            result = await real(*arguments, **others)
            fail_if_due(self.after, name)
            return result

        return call


def fail_if_due(counts: Counter[str], method: str) -> None:
    if counts[method]:
        counts[method] -= 1
        raise StoreUnavailable(f"calling {method} in a test")


class Calls:
    """Calls of one client, whose stores may fail."""

    def __init__(self, mongo: Mongo) -> None:
        self.clock = FixedClock()
        self.client: Client = ANYONE
        self.meetings: Any = FaultyStore(MongoMeetings(mongo=mongo, retention=RETENTION))
        self.jobs: Any = FaultyStore(MongoMeetingJobs(mongo=mongo, retention=RETENTION))
        self.is_admitting = True
        self.methods = create_meeting_methods(
            mongo,
            self.clock,
            store=self.meetings,
            jobs=self.jobs,
            check_admission=self.check_admission,
        )

    async def check_admission(self) -> None:
        if not self.is_admitting:
            raise AdmissionClosed("an index is damaged in this test")

    @property
    def actor(self) -> Actor:
        return Actor(client=self.client, via="grpc", method="Test")

    async def create(self, *, within: timedelta = SOON, **fields: Any) -> MeetingResult:
        ordinary = {"summary": "Review", "event": an_event(), "attendees": (ADA,)}
        draft = MeetingDraft(**{**ordinary, **fields})
        return await self.methods.create_meeting.create(draft, actor=self.actor, within=within)

    async def change(
        self, meeting_id: str, change: RequestedChange, *, within: timedelta = SOON
    ) -> MeetingResult:
        wanted = MeetingChange(meeting_id=meeting_id, change=change, actor=self.actor)
        return await self.methods.change_meeting.change(wanted, within=within)


@pytest.fixture
def calls(mongo: Mongo) -> Calls:
    return Calls(mongo)


def a_rename(summary: str = "Planning") -> RequestedUpdate:
    return RequestedUpdate(draft=MeetingDraft(summary=summary), mask=None)


def a_move(start: str) -> RequestedUpdate:
    return RequestedUpdate(draft=MeetingDraft(event=an_event(start=start)), mask=["start"])


def count_rows(raw: Database[Row]) -> dict[str, int]:
    names = ("meetings", "meeting_revisions", "jobs")
    return {name: raw[name].count_documents({}) for name in names}


async def test_a_lost_answer_to_the_insert_makes_no_second_meeting(
    calls: Calls, raw: Database[Row]
) -> None:
    calls.meetings.after["insert"] = 1

    created = await calls.create()

    assert count_rows(raw) == {"meetings": 1, "meeting_revisions": 1, "jobs": 1}
    assert raw["meetings"].distinct("_id") == [created.meeting.id]


async def test_a_meeting_that_is_not_stored_is_reported(calls: Calls, raw: Database[Row]) -> None:
    calls.meetings.before["insert"] = ALWAYS

    with pytest.raises(StoreUnavailable):
        await calls.create(within=BRIEFLY)

    assert count_rows(raw)["jobs"] == 0


async def test_a_meeting_whose_mails_cannot_be_made_yet_is_created_all_the_same(
    calls: Calls, raw: Database[Row]
) -> None:
    calls.jobs.before["make"] = ALWAYS

    created = await calls.create(within=BRIEFLY)

    assert [(each.what, each.count) for each in created.effects] == [("MAKES", 1)]
    assert count_rows(raw) == {"meetings": 1, "meeting_revisions": 1, "jobs": 0}
    found = raw["meetings"].find_one({"check": {"$lte": calls.clock()}})
    assert found is not None  # the sweep finds it


async def test_two_calls_at_once_with_one_request_id_make_one_meeting(
    calls: Calls, raw: Database[Row]
) -> None:
    results = await asyncio.gather(*(calls.create(request_id="R") for _ in range(4)))

    assert len({each.meeting.id for each in results}) == 1
    assert count_rows(raw) == {"meetings": 1, "meeting_revisions": 1, "jobs": 1}


async def test_a_repeated_call_finds_its_meeting_after_the_start(calls: Calls) -> None:
    created = await calls.create(request_id="R")
    calls.clock.advance(timedelta(days=365))

    again = await calls.create(request_id="R")

    assert again.meeting.id == created.meeting.id
    with pytest.raises(InvalidRequest):
        await calls.create(request_id="R-2")


async def test_without_its_index_of_keys_no_meeting_is_created_or_grows(
    calls: Calls, raw: Database[Row]
) -> None:
    created = await calls.create()
    calls.is_admitting = False

    with pytest.raises(AdmissionClosed):
        await calls.create()
    with pytest.raises(AdmissionClosed):
        await calls.change(created.meeting.id, RequestedAttendees(attendees=[BOB]))
    renamed = await calls.change(created.meeting.id, a_rename())

    assert renamed.meeting.revision.summary == "Planning"
    assert count_rows(raw)["meetings"] == 1


async def test_a_change_that_is_not_stored_is_reported(calls: Calls) -> None:
    created = await calls.create()
    calls.meetings.before["replace"] = ALWAYS

    with pytest.raises(StoreUnavailable):
        await calls.change(created.meeting.id, a_rename(), within=BRIEFLY)

    found = await calls.meetings.find(created.meeting.id)
    assert found.revision.summary == "Review"


async def test_a_lost_answer_to_a_change_makes_no_second_revision(
    calls: Calls, raw: Database[Row]
) -> None:
    created = await calls.create()
    calls.meetings.after["replace"] = 1

    renamed = await calls.change(created.meeting.id, a_rename())

    assert renamed.meeting.revision.number == 2
    assert len(renamed.meeting.steps) == 2
    assert raw["jobs"].distinct("message") == ["Planning"]


async def test_an_answer_waits_until_no_old_mail_waits_and_a_repeated_call_goes_on(
    calls: Calls, raw: Database[Row]
) -> None:
    created = await calls.create()
    calls.jobs.before["change_all"] = ALWAYS

    with pytest.raises(StoreUnavailable):
        await calls.change(created.meeting.id, RequestedCancellation(), within=BRIEFLY)
    [still_waiting] = raw["jobs"].distinct("state")
    calls.jobs.before.clear()
    again = await calls.change(created.meeting.id, RequestedCancellation())

    assert still_waiting == "SCHEDULED"
    assert again.meeting.state is MeetingState.CANCELLED
    assert len(again.meeting.steps) == 2
    assert raw["jobs"].distinct("state") == ["CANCELLED"]


async def test_lost_races_are_tried_again_and_given_up_at_last(calls: Calls) -> None:
    meeting_id = (await calls.create()).meeting.id
    calls.meetings.lost_races = 4
    renamed = await calls.change(meeting_id, a_rename())
    calls.meetings.lost_races = 5

    with pytest.raises(MeetingContended):
        await calls.change(meeting_id, a_rename("Retrospective"))

    assert renamed.meeting.revision.summary == "Planning"
    found = await calls.meetings.find(meeting_id)
    assert found.revision.summary == "Planning"


async def test_invitations_are_counted_once_whatever_fails(calls: Calls) -> None:
    # MongoDB deletes the count of a day that is long past, by its own clock.
    calls.clock.now = datetime.now(UTC).replace(microsecond=0)
    calls.client = a_client(jobs_per_day=3)
    calls.meetings.after["insert"] = 1
    meeting_id = (await calls.create(request_id="R")).meeting.id
    calls.meetings.lost_races, calls.meetings.after["replace"] = 2, 1
    await calls.change(meeting_id, RequestedAttendees(attendees=[BOB]))
    calls.meetings.lost_races = 5
    third = AttendeeDraft(email="eve@example.org")
    with pytest.raises(MeetingContended):
        await calls.change(meeting_id, RequestedAttendees(attendees=[third]))

    await calls.change(meeting_id, RequestedAttendees(attendees=[third]))

    with pytest.raises(ClientLimit):
        await calls.create()


async def test_after_the_start_a_meeting_only_moves_ahead(calls: Calls) -> None:
    meeting_id = (await calls.create(event=an_event(duration=timedelta(days=2)))).meeting.id
    start = (await calls.meetings.find(meeting_id)).revision.start
    calls.clock.now = start + timedelta(hours=1)

    for change in (a_rename(), RequestedAttendees(attendees=[BOB])):
        with pytest.raises(MeetingOver):
            await calls.change(meeting_id, change)
    moved = await calls.change(meeting_id, a_move("2027-02-01T09:00"))
    calls.clock.now = moved.meeting.revision.end

    with pytest.raises(MeetingOver):
        await calls.change(meeting_id, a_move("2027-12-01T09:00"))
    assert moved.meeting.revision.start > start
