"""Notices of outcomes: joined, written in groups, and repeated while the store is away."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from gcsched.domain.calendar_file import Method
from gcsched.domain.job import Job, State
from gcsched.domain.meeting_mail import MeetingMail, Purpose
from gcsched.domain.meetings.meeting import Reminder, Told, Word
from gcsched.domain.smtp_reply import Kind
from gcsched.errors import MeetingContended, StoreUnavailable, UnreadableMeeting
from gcsched.usecases.meetings.notices import MeetingNotices
from gcsched.usecases.ports import SentWord
from tests.support.background import in_background
from tests.support.builders import NOW, a_job, a_revision, an_attempt, an_invitation
from tests.support.meeting_worlds import MeetingWorld
from tests.support.stored_meetings import MINUTE, send
from tests.support.wait import until

QUICK = timedelta(milliseconds=20)


@dataclass
class FakeMeetings:
    """Records what is noted and reconciled; *left* are meetings that have to be looked at."""

    left: set[str] = field(default_factory=set)
    noted: list[list[SentWord]] = field(default_factory=list)
    reconciled: list[str] = field(default_factory=list)
    errors: dict[str, Exception] = field(default_factory=dict)
    failures: int = 0

    async def note_sent(self, words: Sequence[SentWord]) -> Collection[str]:
        self._fail()
        self.noted.append(list(words))
        return self.left

    async def reconcile(self, meeting_id: str) -> None:
        self._fail()
        if meeting_id in self.errors:
            raise self.errors[meeting_id]
        self.reconciled.append(meeting_id)

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("noting what attendees were sent")

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"notices use no {name}")


@asynccontextmanager
async def running(meetings: FakeMeetings) -> AsyncIterator[MeetingNotices]:
    notices = MeetingNotices(meetings=meetings, reconcile=meetings.reconcile, interval=QUICK)
    async with in_background(notices.run):
        yield notices


def a_mail(number: int, purpose: Purpose = Purpose.UPDATE, **others: Any) -> Job:
    mail = MeetingMail(revision=a_revision(meeting_id=f"meeting-{number}"), purpose=purpose)
    return an_invitation(id=f"job-{number}", dedup_key=f"key-{number}", meeting=mail, **others)


async def test_sent_invitations_are_noted_in_one_write_without_a_plan() -> None:
    meetings = FakeMeetings()
    jobs = [send(a_mail(number, Purpose.INVITATION)) for number in range(30)]

    async with running(meetings) as notices:
        notices.on_outcomes([*jobs, send(a_job())])
        await until(lambda: meetings.noted)

    [words] = meetings.noted
    assert [word.job_id for word in words] == [job.id for job in jobs]
    assert words[3] == SentWord(
        meeting_id="meeting-3",
        job_id="job-3",
        message_id=jobs[3].message_id,
        word=Word(told=Told.SURE, method=Method.REQUEST, sequence=0, revision=1),
    )
    assert meetings.reconciled == []


async def test_a_meeting_that_the_note_leaves_open_is_reconciled() -> None:
    meetings = FakeMeetings(left={"meeting-1"})

    async with running(meetings) as notices:
        notices.on_outcomes([send(a_mail(1, Purpose.INVITATION))])
        await until(lambda: meetings.reconciled)

    assert meetings.reconciled == ["meeting-1"]


async def test_notices_of_one_meeting_are_joined() -> None:
    meetings = FakeMeetings()

    async with running(meetings) as notices:
        for _ in range(100):
            notices.on_outcomes([send(a_mail(1))])
        notices.notice("meeting-1")
        notices.notice("meeting-2")
        await until(lambda: len(meetings.reconciled) == 2)

    assert sorted(meetings.reconciled) == ["meeting-1", "meeting-2"]


UNCERTAIN = an_attempt(kind=Kind.UNCERTAIN, date=NOW)


@pytest.mark.parametrize(
    ("job", "is_noticed"),
    [
        (a_mail(1, state=State.FAILED), True),
        (a_mail(1, state=State.EXPIRED), True),
        (a_mail(1, state=State.CANCELLED), True),
        (a_mail(1, state=State.UNCERTAIN, attempts=(UNCERTAIN,)), True),
        (a_mail(1, state=State.RETRYING, attempts=(UNCERTAIN,)), True),
        (a_mail(1, state=State.RETRYING, attempts=(an_attempt(),)), False),
        (a_mail(1, state=State.SCHEDULED), False),
        (send(a_mail(1, Purpose.CANCELLATION)), True),
        (send(a_mail(1, Purpose.REMINDER)), False),
        (a_mail(1, Purpose.REMINDER, state=State.FAILED), False),
        (send(a_job()), False),
        (send(an_invitation(meeting=MeetingMail(revision=a_revision(meeting_id="")))), False),
    ],
)
async def test_only_what_says_something_about_an_attendee_is_noticed(
    job: Job, is_noticed: object
) -> None:
    meetings = FakeMeetings()

    async with running(meetings) as notices:
        notices.on_outcomes([job])
        notices.notice("last")
        await until(lambda: "last" in meetings.reconciled)

    assert ("meeting-1" in meetings.reconciled) is is_noticed
    assert meetings.noted == []


async def test_nothing_is_lost_while_the_store_is_away() -> None:
    meetings = FakeMeetings(failures=3)

    with capture_logs() as events:
        async with running(meetings) as notices:
            notices.on_outcomes([send(a_mail(1, Purpose.INVITATION)), send(a_mail(2))])
            await until(lambda: meetings.reconciled)
            assert notices.waiting == 0

    assert (len(meetings.noted), meetings.reconciled) == (1, ["meeting-2"])
    assert [each["event"] for each in events] == [
        "meetings not looked at, retrying",
        "meetings looked at again",
    ]


@pytest.mark.parametrize("error", [MeetingContended("meeting-1", 5), UnreadableMeeting("m")])
async def test_a_meeting_that_cannot_be_changed_does_not_stop_the_others(error: Exception) -> None:
    meetings = FakeMeetings(errors={"meeting-1": error})

    with capture_logs() as events:
        async with running(meetings) as notices:
            for number in range(10):
                notices.notice(f"meeting-{number}")
            await until(lambda: len(meetings.reconciled) == 9)
            assert notices.waiting == 0
            notices.notice("meeting-1")
            notices.notice("last")
            await until(lambda: "last" in meetings.reconciled)

    assert [each["meeting_id"] for each in events] == ["meeting-1"], "it is logged once"


async def test_what_was_sent_is_noted_before_the_process_ends() -> None:
    meetings = FakeMeetings()
    notices = MeetingNotices(
        meetings=meetings, reconcile=meetings.reconcile, interval=timedelta(hours=1)
    )

    async with in_background(notices.run):
        notices.on_outcomes([send(a_mail(1, Purpose.INVITATION))])
        await until(lambda: meetings.noted)
        notices.on_outcomes([send(a_mail(2, Purpose.INVITATION))])
        await asyncio.sleep(0)

    assert [word.job_id for words in meetings.noted for word in words] == ["job-1", "job-2"]


async def test_a_stop_does_not_wait_for_a_store_that_is_away() -> None:
    meetings = FakeMeetings(failures=10**9)

    async with running(meetings) as notices:
        notices.on_outcomes([send(a_mail(1, Purpose.INVITATION))])
        await until(lambda: meetings.failures < 10**9)

    assert meetings.noted == []


async def test_outcomes_reach_the_meeting_on_a_real_store(world: MeetingWorld) -> None:
    """Two attendees, one refused: reminders follow for the other."""
    await world.create(2, reminders=(Reminder(before=30 * MINUTE),))
    await world.reconcile()
    notices = MeetingNotices(meetings=world.store, reconcile=world.reconcile, interval=QUICK)
    first, second = world.list_jobs()

    async with in_background(notices.run):
        notices.on_outcomes([world.end(first), world.end(second, Kind.RECIPIENT)])
        await until(find_reminder(world))

    meeting = await world.find()
    assert [each.word.told for each in meeting.attendees] == [Told.SURE, Told.NOTHING]
    assert [each.delivery for each in meeting.attendees] == [State.SENT, State.FAILED]
    assert meeting.check_time is None


def find_reminder(world: MeetingWorld) -> Callable[[], object]:
    return lambda: (
        world.raw["jobs"].count_documents({"meeting_mail.purpose": "REMINDER"})
        and not world.raw["meetings"].count_documents({"check": {"$exists": True}})
    )
