"""The event of the client becomes the contract's message. Oracle: the message, field by field."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gcsched.client import Client, Event, MailRequest, Person, Purpose
from gcsched.client.calls.scheduling import build_message
from gcsched.client.results.jobs import Job
from gcsched.client.results.reading import read_message
from gcsched.pb import task_pb2
from gcsched.testing import FakeScheduler

MAIL: dict[str, Any] = {"empid": "E1", "email": "ada@example.org", "message": "Review", "at": 1}
REVIEW: dict[str, Any] = {
    "start": "2030-01-05T09:00",
    "duration": timedelta(minutes=30),
    "time_zone": "Europe/Berlin",
}
TWICE = datetime.fromisoformat("2030-10-27T02:30").replace(fold=1)


def build(**event: Any) -> task_pb2.MeetRequest:
    return build_message(MailRequest(**MAIL, event=Event(**{**REVIEW, **event})))


def test_every_field_of_an_event_has_its_value() -> None:
    request = build(
        end=datetime.fromisoformat("2030-01-05T10:00"),
        start=datetime.fromisoformat("2030-01-05T09:00:00"),
        duration=None,
        location="Room 5",
        url="https://meet.example.org/1",
        description="Plan",
        organizer=Person(email="eve@example.com", name="Eve"),
        strict_time=True,
    )

    assert request.event == task_pb2.Event(
        start="2030-01-05T09:00:00",
        end="2030-01-05T10:00:00",
        time_zone="Europe/Berlin",
        location="Room 5",
        url="https://meet.example.org/1",
        description="Plan",
        organizer=task_pb2.Person(email="eve@example.com", name="Eve"),
        strict_time=True,
    )
    assert build().event.duration.seconds == 1800


def test_a_service_without_events_refuses_the_template_that_is_named() -> None:
    assert build().template == "invitation"
    own = MailRequest(**MAIL, template="offer", event=Event(**REVIEW))
    assert build_message(own).template == "offer"
    assert build_message(MailRequest(**MAIL)).template == ""
    assert not build_message(MailRequest(**MAIL)).HasField("event")


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ({"start": datetime(2030, 1, 5, 9, tzinfo=UTC)}, "event.start has a tzinfo; give text"),
        (
            {"start": TWICE},
            "event.start has fold=1",
        ),
        ({"start": 9}, "event.start is 9; give a str"),
        ({"end": 9}, "event.end is 9; give a str"),
        ({"duration": 30}, "event.duration is 30; give a timedelta"),
        ({"organizer": "eve@example.com"}, "give a gcsched.client.Person"),
        ({"strict_time": "yes"}, "event.strict_time is 'yes'; give True or False"),
    ],
)
def test_a_mistake_says_what_to_give(event: dict[str, Any], problem: str) -> None:
    with pytest.raises((TypeError, ValueError), match=problem):
        build(**event)


def test_an_event_is_not_a_dictionary() -> None:
    event: Any = REVIEW
    with pytest.raises(TypeError, match=r"give a gcsched\.client\.Event"):
        build_message(MailRequest(**MAIL, event=event))


def test_a_fake_records_and_answers_an_event() -> None:
    review = Event(**{**REVIEW, "start": "2030-03-31T02:30"})
    with FakeScheduler() as fake, Client(fake.target, environment={}) as gcsched:
        job = gcsched.schedule(**MAIL, event=review)
        valid = gcsched.validate(**MAIL, event=review)
        gcsched.schedule(**MAIL)

        invited, plain = fake.scheduled
        assert invited.event == review
        assert (invited.template, invited.meeting_id) == ("invitation", job.meeting_id)
        assert (plain.event, plain.meeting_id) == (None, "")
    assert "does not exist in Europe/Berlin" in job.time_note
    assert valid.time_note == job.time_note
    assert job.meeting_id


def test_a_fake_refuses_what_the_service_refuses() -> None:
    eve = Person(email="eve@example.com")
    mails = [
        MailRequest(**MAIL, event=Event(**{**REVIEW, **each}))
        for each in ({"url": "nowhere"}, {"organizer": eve}, {"start": "2020-01-01T09:00"})
    ]
    with FakeScheduler() as fake, Client(fake.target, environment={}) as gcsched:
        refused: list[Any] = gcsched.schedule_many(mails)
    with (
        FakeScheduler(organizer_domains="example.com") as fake,
        Client(fake.target, environment={}) as gcsched,
    ):
        accepted = gcsched.schedule(**MAIL, event=mails[1].event)

    fields = [[each.field for each in error.violations] for error in refused]
    assert fields == [["event.url"], ["event.organizer.email"], ["event.start"]]
    assert accepted.meeting_id


def test_a_job_has_its_meeting() -> None:
    message = task_pb2.Job(meeting_id="M", purpose=task_pb2.Job.INVITATION, sequence=2)

    job = read_message(Job, message)

    assert (job.meeting_id, job.purpose, job.sequence) == ("M", Purpose.INVITATION, 2)
    assert read_message(Job, task_pb2.Job()).purpose == ""
