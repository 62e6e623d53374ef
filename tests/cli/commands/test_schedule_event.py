"""`gcsched schedule` with a meeting, at a fake and at a real service."""

import json
from datetime import timedelta
from typing import cast

import pytest

from gcsched.cli.event_arguments import parse_duration
from gcsched.pb import task_pb2
from tests.support.command import run_command, run_gcsched
from tests.support.fake_scheduler import fake_scheduler
from tests.support.in_process_app import RunningApp

SCHEDULE = ("schedule", "--to=ada@example.org", "--empid=E1", "--message=Review", "--at=+1h")
REVIEW = ("--start=2030-03-31T02:30", "--zone=Europe/Berlin", "--duration=1h30m")


async def test_every_option_reaches_its_field() -> None:
    accepted = task_pb2.MeetResponse(success=True, job_id="7", meeting_id="M", time_note="moved")
    more = ("--location=Room 5", "--url=https://example.org", "--description=Plan", "--strict-time")
    async with fake_scheduler(ScheduleMeet=accepted) as server:
        to = ("--target", server.target)
        organizer = "--organizer=Eve King <eve@example.com>"
        done = await run_gcsched(*SCHEDULE, *REVIEW, *more, organizer, *to)
        await run_gcsched(*SCHEDULE, "--start=2030-03-31T02:30", "--end=2030-03-31T09:00", *to)
        await run_gcsched(*SCHEDULE, *to)

    whole, with_end, plain = cast("list[task_pb2.MeetRequest]", server.requests)
    event = task_pb2.Event(
        start="2030-03-31T02:30",
        time_zone="Europe/Berlin",
        location="Room 5",
        url="https://example.org",
        description="Plan",
        organizer=task_pb2.Person(email="eve@example.com", name="Eve King"),
        strict_time=True,
    )
    event.duration.FromTimedelta(timedelta(minutes=90))
    assert whole.event == event
    assert with_end.event.end == "2030-03-31T09:00"
    assert not plain.HasField("event")
    assert done.stdout.startswith("accepted: job 7, meeting M, due ")
    assert done.stdout.endswith("; note that moved\n")


async def test_a_meeting_is_shown_with_its_job(app: RunningApp) -> None:
    """With the template that every service has."""
    to = ("--target", app.target)
    done = await run_gcsched(*SCHEDULE, *REVIEW, "--template=doc", "--json", *to)

    answer = json.loads(done.stdout)
    shown = await run_gcsched("job", "show", answer["job_id"], *to)
    assert "does not exist in Europe/Berlin" in answer["time_note"]
    assert answer["meeting_id"] in shown.stdout
    assert "INVITATION" in shown.stdout


async def test_a_refusal_names_the_options(app: RunningApp) -> None:
    invalid = ("--start=now", "--zone=Berlin", "--url=nowhere", "--organizer=nobody")

    done = await run_gcsched(*SCHEDULE, *invalid, "--template=doc", "--target", app.target)

    first, *lines = done.stderr.splitlines()
    names = [line.split(": ")[0].strip() for line in lines]
    assert (done.returncode, first) == (2, "refused:")
    assert names == ["--url", "--organizer", "--zone", "--start", "--end, --duration"]


@pytest.mark.parametrize("given", ["", "30", "m", "1.5h", "-5m", "30m1h", "1w", "٣m"])
async def test_a_duration_that_is_none_says_what_to_write(given: str) -> None:
    done = await run_command(*SCHEDULE, f"--duration={given}")

    assert done.code == 2
    assert "expected one like 30m or 1h30m" in done.err


def test_durations_have_units() -> None:
    assert parse_duration("30m") == timedelta(minutes=30)
    assert parse_duration("1d2h") == timedelta(hours=26)
