"""A process that starts with newer rules of time zones moves meetings, on a real store."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.meeting import Meeting, Reminder
from gcsched.domain.meetings.zone_rules import StoredTimes
from gcsched.errors import StoreUnavailable
from gcsched.usecases.meetings import zone_rules
from gcsched.usecases.meetings.zone_rules import ApplyZoneRules
from gcsched.usecases.ports import Meetings
from tests.support.builders import a_revision
from tests.support.meeting_worlds import WITHIN, MeetingWorld
from tests.support.stored_meetings import a_planned_meeting, send

HOUR = timedelta(hours=1)
RIGHT = a_revision().start
OUTDATED = {"start": RIGHT - HOUR, "end": a_revision().end - HOUR}


def rules_of(world: MeetingWorld, version: str = "2026f") -> ApplyZoneRules:
    return ApplyZoneRules(
        meetings=world.meetings, reconciler=world.reconciler, now=world.clock, version=version
    )


async def store(world: MeetingWorld, name: str, **content: Any) -> Meeting:
    revision = a_revision(meeting_id=name, uid=f"{name}@example.net", **content)
    return await world.store.insert(a_planned_meeting(revision=revision), within=WITHIN)


def starts(world: MeetingWorld) -> set[datetime]:
    return set(world.raw["meetings"].distinct("start"))


async def test_a_meeting_moves_and_who_was_invited_gets_an_update(world: MeetingWorld) -> None:
    await world.create(revision=a_revision(**OUTDATED), reminders=(Reminder(before=HOUR),))
    await world.reconcile()
    [invitation] = world.list_jobs()
    world.put(send(invitation))
    await world.reconcile()

    with capture_logs() as events:
        moved = await rules_of(world).apply()

    assert moved == 1
    by_purpose = {job.meeting.purpose: job for job in world.list_jobs() if job.meeting}
    update, reminder = by_purpose[Purpose.UPDATE], by_purpose[Purpose.REMINDER]
    assert update.revision is not None
    assert (update.revision.start, update.revision.sequence) == (RIGHT, 1)
    assert reminder.due_time == RIGHT - HOUR
    assert [each for each in events if each["event"] == "meeting moved by zone rules"] == [
        {
            "event": "meeting moved by zone rules",
            "log_level": "info",
            "meeting_id": "meeting-1",
            "revision": 2,
            "zone": "Europe/Berlin",
            "zone_version": "2026f",
        }
    ]
    assert await rules_of(world).apply() == 0


async def test_who_was_not_mailed_yet_gets_a_right_invitation(world: MeetingWorld) -> None:
    await world.create(revision=a_revision(**OUTDATED))
    await world.reconcile()

    await rules_of(world).apply()

    [invitation] = world.list_jobs()
    assert invitation.revision is not None
    assert (invitation.revision.start, invitation.revision.sequence) == (RIGHT, 0)


@pytest.mark.parametrize("version", ["", "2026a", "2025b"])
async def test_nothing_moves_by_older_rules(world: MeetingWorld, version: str) -> None:
    await world.create(revision=a_revision(**OUTDATED))

    assert await rules_of(world, version).apply() == 0


@dataclass
class ReadsLogged:
    """A store that keeps what each page began after; a *failing* page cannot be read."""

    store: Meetings
    failing: int = -1
    pages: list[StoredTimes | None] = field(default_factory=list)

    async def find_upcoming(
        self, after: StoredTimes | None, *, now: datetime, most: int
    ) -> Sequence[StoredTimes]:
        self.pages.append(after)
        if len(self.pages) == self.failing:
            raise StoreUnavailable("looking for meetings to come")
        return await self.store.find_upcoming(after, now=now, most=most)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


async def test_all_meetings_are_looked_at_page_by_page_and_from_where_it_stopped(
    world: MeetingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zone_rules, "PAGE_SIZE", 2)
    for number in range(5):  # with equal starts: the id decides
        await store(world, f"meeting-{number}", **OUTDATED)
    await store(world, "meeting-5")
    logged = ReadsLogged(world.store, failing=2)
    world.meetings = cast("Meetings", logged)
    rules = rules_of(world)

    with pytest.raises(StoreUnavailable):
        await rules.apply()
    moved = await rules.apply()

    assert moved == 3, "two were moved before the store was away"
    assert starts(world) == {RIGHT}
    assert [each and each.meeting_id for each in logged.pages[:3]] == [
        None,
        "meeting-1",
        "meeting-1",
    ]


async def test_a_sweep_stops_in_time_and_the_next_one_goes_on(
    world: MeetingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zone_rules, "MAX_SECONDS", 0.0)
    for number in range(3):
        await store(world, f"meeting-{number}", **OUTDATED)
    rules = rules_of(world)

    assert [await rules.apply() for _ in range(4)] == [1, 1, 1, 0]
    assert starts(world) == {RIGHT}


async def test_it_is_done_twice_and_an_hour_apart(
    world: MeetingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1_000.0]
    monkeypatch.setattr("gcsched.usecases.meetings.zone_rules.time.monotonic", lambda: clock[0])
    logged = ReadsLogged(world.store)
    world.meetings = cast("Meetings", logged)
    rules, pages = rules_of(world), list[int]()

    for seconds in (0, 3_599, 2, 10_000):
        clock[0] += seconds
        await rules.apply()
        pages.append(len(logged.pages))

    assert pages == [1, 1, 2, 2]


async def test_a_damaged_meeting_does_not_hold_up_the_others(world: MeetingWorld) -> None:
    await store(world, "meeting-1", **OUTDATED)
    await store(world, "meeting-2", **OUTDATED)
    damage = {"$set": {"revision": "one", "start_wall": 5}}
    world.raw["meetings"].update_one({"_id": "meeting-1"}, damage)

    with capture_logs() as events:
        assert await rules_of(world).apply() == 1

    assert [each["meeting_id"] for each in events if each["log_level"] == "warning"] == [
        "meeting-1"
    ]
