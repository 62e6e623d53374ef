"""Jobs of requests with an event: their keys, times and commands."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from gcsched.domain.access import ANYONE
from gcsched.domain.commands import Reschedule, Retry, apply
from gcsched.domain.dedup import dedup_key, fingerprint
from gcsched.domain.job import Job, State
from gcsched.domain.meeting import Person
from gcsched.errors import IllegalTransition, InvalidRequest
from gcsched.usecases.admission.job_factory import JobFactory, Submission
from tests.support.builders import (
    NOON,
    NOW,
    SENDER,
    WITH_INVITATIONS,
    a_job_factory,
    a_request,
    an_event,
    an_invitation,
)
from tests.support.clocks import SECOND

START = datetime(2027, 1, 5, 8, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def factory() -> JobFactory:
    return a_job_factory(context=WITH_INVITATIONS, zone_version="2026b")


def create(event: dict[str, Any] | None = None, **request: Any) -> Job:
    raw = a_request(**{"template": "invitation", "event": an_event(**(event or {})), **request})
    return factory().create(raw, now=NOW + SECOND / 2, client=ANYONE)


def test_a_request_with_an_event_makes_the_first_revision_of_a_meeting() -> None:
    job = create({"location": "Room 5"})

    revision = job.revision
    assert revision is not None
    assert (revision.number, revision.sequence) == (1, 0)
    assert revision.stamp == NOW  # the second of the call
    assert revision.start == job.expire_time == START
    assert revision.uid == f"{revision.meeting_id}@example.net"
    assert revision.meeting_id != job.id
    assert (revision.summary, revision.location) == ("Stand-up", "Room 5")
    assert revision.zone_version == "2026b"
    assert (revision.organizer, revision.sent_by) == (SENDER, "")
    assert job.has_own_expire_time


def test_the_sender_sends_for_another_organizer() -> None:
    ada = Person(email="ada@bücher.example.com", name="Ada")
    revision = create({"organizer": ada}).revision

    assert revision is not None
    assert (revision.organizer, revision.sent_by) == (ada, SENDER.email)
    assert revision.uid.endswith("@xn--bcher-kva.example.com")


def test_a_caller_may_end_it_before_the_start() -> None:
    assert create(not_after=NOON + 60).expire_time == NOW + timedelta(minutes=1)


KEY = "6adb84c8321dc6fb27bc3e7e518d969e5b0524cb4369e3559f8d21f771f6d54d"
CHANGES: list[dict[str, Any]] = [
    {"start": "2027-01-05T09:01"},
    {"duration": timedelta(minutes=31)},
    {"duration": None, "end": "2027-01-05T09:30"},
    {"time_zone": "Europe/Vienna"},
    {"location": "Room 5"},
    {"url": "https://meet.example.org/1"},
    {"description": "Plan"},
    {"organizer": Person(email="ada@example.com")},
    {"organizer": Person(email="ada@example.com", name="Ada")},
]


def test_all_that_makes_a_meeting_makes_its_keys() -> None:
    requests = [a_request(), *(a_request(event=an_event(**each)) for each in [{}, *CHANGES])]

    assert len({dedup_key(each, daily=None) for each in requests}) == len(requests)
    assert len({fingerprint(each) for each in requests}) == len(requests)


def test_the_key_of_an_event_never_changes() -> None:
    """Its oracle is a digest that was made when the first version with events was written."""
    event = an_event(location="Room 5", organizer=Person(email="ada@example.com", name="Ada"))

    assert dedup_key(a_request(event=event), daily=None) == KEY


def submission(now: datetime, **request: Any) -> Submission | InvalidRequest:
    raw = a_request(**{"template": "invitation", "event": an_event(), **request})
    return factory().create_submission(raw, now=now, deadline=0.0, client=ANYONE)


def test_a_call_that_is_repeated_after_the_start_finds_its_job() -> None:
    first, late = submission(NOW), submission(START + DAY)

    assert isinstance(first, Submission)
    assert isinstance(late, Submission)
    assert late.is_late
    assert late.job.dedup_key == first.job.dedup_key


def test_a_daily_call_that_is_repeated_after_the_start_finds_its_job() -> None:
    soon = an_event(start="2026-07-02T13:00")
    first = submission(NOW, timestamp=0, event=soon)
    late = submission(NOW + 3 * DAY, timestamp=0, event=soon)

    assert isinstance(first, Submission)
    assert isinstance(late, Submission)
    assert late.job.dedup_key == first.job.dedup_key


LAST_RUN = datetime(2026, 7, 2, 8, tzinfo=UTC)  # 10:00 in Berlin, five hours before the start
BEFORE_THE_START = an_event(start="2026-07-02T15:00")
DAILY_LIMITS: list[dict[str, Any]] = [
    {"event": BEFORE_THE_START},
    {"event": BEFORE_THE_START, "request_id": "R"},
    {"event": None, "template": "doc", "not_after": int((LAST_RUN + 5 * HOUR).timestamp())},
]


@pytest.mark.parametrize("request_of", DAILY_LIMITS, ids=["event", "request id", "not_after"])
@pytest.mark.parametrize("now", [LAST_RUN, LAST_RUN + HOUR, LAST_RUN + 2 * DAY], ids=str)
def test_a_daily_call_that_is_repeated_after_its_last_run_finds_its_job(
    request_of: dict[str, Any], now: datetime
) -> None:
    first = submission(NOW, timestamp=0, **request_of)
    again = submission(LAST_RUN - SECOND, timestamp=0, **request_of)
    late = submission(now, timestamp=0, **request_of)

    assert isinstance(first, Submission)
    assert isinstance(again, Submission)
    assert isinstance(late, Submission)
    assert (first.is_late, again.is_late, late.is_late) == (False, False, True)
    assert first.job.due_time == LAST_RUN
    assert first.job.dedup_key == again.job.dedup_key == late.job.dedup_key
    assert first.job.fingerprint == late.job.fingerprint


@pytest.mark.parametrize(
    "limit",
    [
        {"event": an_event(start="0001-01-01T00:00")},
        {"event": an_event(start="9999-12-31T23:59")},
        {"not_after": 253_402_300_799},
        {"not_after": 1},
        {"not_after": 2**62},
    ],
    ids=str,
)
def test_a_daily_call_with_an_impossible_limit_is_refused(limit: dict[str, Any]) -> None:
    assert isinstance(submission(NOW, timestamp=0, **limit), InvalidRequest)


@pytest.mark.parametrize("later", [DAY, 7 * DAY])
def test_a_daily_call_that_is_repeated_after_the_next_run_is_the_same_meeting(
    later: timedelta,
) -> None:
    first, again = submission(NOW, timestamp=0), submission(NOW + later, timestamp=0)

    assert isinstance(first, Submission)
    assert isinstance(again, Submission)
    assert first.job.due_time < NOW + later < START
    assert again.job.dedup_key == first.job.dedup_key


def test_a_daily_call_and_one_for_a_second_are_two_meetings() -> None:
    daily, second = submission(NOW, timestamp=0), submission(NOW, timestamp=1)

    assert isinstance(daily, Submission)
    assert isinstance(second, Submission)
    assert daily.job.dedup_key != second.job.dedup_key


def test_a_call_that_was_never_valid_finds_no_job() -> None:
    late = submission(START + DAY, email="nobody")

    assert isinstance(late, InvalidRequest)
    assert [each.field for each in late.violations] == ["emailID", "event.start"]


def test_the_sentence_about_the_times_is_in_the_answer_to_a_repeated_call_too() -> None:
    event = an_event(start="2027-03-28T02:30")
    first, late = submission(NOW, event=event), submission(START + 365 * DAY, event=event)

    assert isinstance(first, Submission)
    assert isinstance(late, Submission)
    assert first.time_note == late.time_note != ""


def reschedule(job: Job, to: datetime) -> Job:
    command = Reschedule(schedule_time=to, is_daily=False, keep_trying=6 * HOUR)
    return apply(command, job, suppression=None, now=NOW + SECOND)


def test_an_invitation_is_rescheduled_within_the_time_before_its_start() -> None:
    later = reschedule(an_invitation(), START - SECOND)

    assert later.due_time == START - SECOND
    assert later.expire_time == START


def test_an_invitation_that_had_an_earlier_end_may_be_sent_until_the_start_at_most() -> None:
    early = replace(an_invitation(), expire_time=NOW + HOUR)

    assert reschedule(early, NOW + timedelta(minutes=5)).expire_time == NOW + HOUR
    assert reschedule(early, NOW + 2 * HOUR).expire_time == NOW + 8 * HOUR
    assert reschedule(early, START - HOUR).expire_time == START


@pytest.mark.parametrize("to", [START, START + DAY])
def test_an_invitation_is_not_rescheduled_to_its_start(to: datetime) -> None:
    with pytest.raises(IllegalTransition, match="before the start of its meeting, 2027-01-05T08"):
        reschedule(an_invitation(), to)


def test_a_sent_invitation_says_that_it_was_sent() -> None:
    with pytest.raises(IllegalTransition, match="its mail was sent"):
        reschedule(an_invitation(state=State.SENT), START)


def retry(job: Job, now: datetime) -> Job:
    command = Retry(keep_trying=6 * HOUR, window=DAY)
    return apply(command, job, suppression=None, now=now)


@pytest.mark.parametrize("state", [State.FAILED, State.EXPIRED, State.UNCERTAIN])
def test_an_invitation_is_retried_until_its_start(state: State) -> None:
    job = an_invitation(state=state, dedup_key=None, released_key="key-1")

    assert retry(job, START - SECOND).expire_time == START
    with pytest.raises(IllegalTransition, match="the start of its meeting is over"):
        retry(job, START)


def test_a_job_without_a_meeting_has_no_such_limits() -> None:
    plain = an_invitation(meeting=None)

    assert reschedule(plain, START + DAY).due_time == START + DAY
    assert retry(replace(plain, state=State.FAILED), START + DAY).state is State.RETRYING
