"""The tests of the application, with the fake of gcsched.testing."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from interviews import BookingRefused, Desk, Interview, announce

from gcsched.client import AsyncClient, CallFailed, Client
from gcsched.pb import task_pb2
from gcsched.testing import Failure, FakeScheduler, ScheduledRequest

INTERVIEW = Interview(
    empid="E1815",
    email="ada@example.org",
    name="Ada",
    topic="Analytical engines",
    start=datetime(2030, 5, 17, 14, tzinfo=UTC),
    booked=datetime(2030, 5, 2, 9, tzinfo=UTC),
)


@pytest.fixture
def desk(gcsched_fake: FakeScheduler) -> Iterator[Desk]:
    with Client(gcsched_fake.target) as gcsched:
        yield Desk(gcsched)


def test_a_booking_mails_an_invitation_and_a_reminder_the_day_before(
    desk: Desk, gcsched_fake: FakeScheduler
) -> None:
    job_ids = desk.book(INTERVIEW)

    assert gcsched_fake.scheduled == [
        ScheduledRequest(
            empid="E1815",
            email="ada@example.org",
            name="Ada",
            message="Invitation: Analytical engines",
            at=datetime(2030, 5, 2, 9, tzinfo=UTC),
        ),
        ScheduledRequest(
            empid="E1815",
            email="ada@example.org",
            name="Ada",
            message="Tomorrow: Analytical engines",
            at=datetime(2030, 5, 16, 14, tzinfo=UTC),
        ),
    ]
    assert job_ids == [each.job_id for each in gcsched_fake.scheduled]


def test_a_wrong_address_is_shown_beside_its_field(desk: Desk) -> None:
    with pytest.raises(BookingRefused) as caught:
        desk.book(replace(INTERVIEW, email="ada@"))

    assert list(caught.value.problems) == ["emailID"]
    assert desk.unsent == []


@pytest.mark.parametrize("failure", ["STORE_UNAVAILABLE", "DEADLINE_EXCEEDED", "OVERLOADED"])
def test_a_booking_while_gcsched_is_away_is_sent_later(
    desk: Desk, gcsched_fake: FakeScheduler, failure: Failure
) -> None:
    gcsched_fake.fail_next(failure)

    assert desk.book(INTERVIEW) == []
    assert desk.unsent == [INTERVIEW]

    desk.send_unsent()

    assert desk.unsent == []
    assert len(gcsched_fake.scheduled) == 2


def test_a_mail_can_be_withdrawn(desk: Desk, gcsched_fake: FakeScheduler) -> None:
    gcsched_fake.answer("CancelJob", task_pb2.Job(state=task_pb2.Job.CANCELLED))

    assert desk.withdraw("7")
    assert gcsched_fake.calls[-1].request.job_id == "7"


def test_a_mail_that_has_left_cannot_be_withdrawn(desk: Desk, gcsched_fake: FakeScheduler) -> None:
    gcsched_fake.fail_next("ILLEGAL_TRANSITION", method="CancelJob")

    assert not desk.withdraw("7")


def test_a_withdrawal_without_the_right_is_an_error(
    desk: Desk, gcsched_fake: FakeScheduler
) -> None:
    gcsched_fake.fail_next("SCOPE_MISSING")

    with pytest.raises(CallFailed, match="needs the scope"):
        desk.withdraw("7")


def test_an_announcement_reaches_each_candidate(gcsched_fake: FakeScheduler) -> None:
    grace = replace(INTERVIEW, empid="E1906", email="grace@example.org", name="Grace")

    async def run() -> None:
        async with AsyncClient(gcsched_fake.target) as gcsched:
            await announce(gcsched, [INTERVIEW, grace], "We are moving to room 7")

    asyncio.run(run())

    assert {each.email: each.at for each in gcsched_fake.scheduled} == {
        "ada@example.org": None,
        "grace@example.org": None,
    }
