"""`gcsched meeting`: each option reaches its field, and each answer is shown."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from gcsched.cli.commands.meeting import ORDERS
from gcsched.cli.commands.meeting_arguments import PURPOSES, ROLES
from gcsched.cli.commands.meeting_view import format_minutes
from gcsched.errors import (
    EtagMismatch,
    InvalidRequest,
    MeetingOver,
    UnknownMeeting,
    Violation,
)
from gcsched.pb import task_pb2
from tests.support.command import run_command
from tests.support.fake_scheduler import fake_scheduler
from tests.support.terminal import run_on_terminal

ID = "0190a6e2c3d47b5f8a9b0c1d2e3f4a5b"
START = datetime(2030, 1, 5, 8, tzinfo=UTC)
HERE = START.astimezone().isoformat()
INVITED = task_pb2.Effect(
    email="ada@example.org", purpose=task_pb2.Job.INVITATION, what=task_pb2.Effect.MAKES, count=1
)
MEETING = task_pb2.Meeting(
    meeting_id=ID,
    etag="e7",
    state=task_pb2.Meeting.SCHEDULED,
    summary="Review",
    start="2030-01-05T09:00",
    end="2030-01-05T09:30",
    duration=timedelta(minutes=30),
    time_zone="Europe/Berlin",
    start_time=START,
    organizer=task_pb2.Person(email="eve@example.org", name="Eve"),
    attendees=[task_pb2.Attendee(email="ada@example.org", name="Ada")],
    effects=[INVITED, task_pb2.Effect(email="eve@example.org", purpose=task_pb2.Job.UPDATE)],
)
CREATE = (
    *("meeting", "create", "--summary=Review", "--start=2030-01-05T09:00", "--duration=30m"),
    *("--zone=Europe/Berlin", "--to=Ada <ada@example.org>"),
)


async def test_every_option_of_a_creation_reaches_its_field() -> None:
    more = (
        *("--location=Room 5", "--url=https://example.org", "--description=Plan", "--strict-time"),
        *("--optional=bob@example.org", "--informed=Cy <cy@example.org>", "--to=dan@example.org"),
        *("--empid=ada@example.org=E1", "--remind=1d", "--remind=10m", "--invite-at=1893456000"),
        *("--guests-see-each-other", "--template=update=moved", "--subject=update=New time"),
        *("--subject=reminder=Soon", "--var=room=4.2", "--label=team=hr", "--request-id=r"),
        *("--organizer=Eve <eve@example.org>", "--sender=meet@example.org", "--validate-only"),
    )
    async with fake_scheduler(CreateMeeting=MEETING) as service:
        done = await run_command(*CREATE, *more, "--target", service.target)

    attendee, mail = task_pb2.Attendee, task_pb2.MeetingTexts.Mail
    expected = task_pb2.Meeting(
        summary="Review",
        start="2030-01-05T09:00",
        duration=timedelta(minutes=30),
        time_zone="Europe/Berlin",
        location="Room 5",
        url="https://example.org",
        description="Plan",
        organizer=task_pb2.Person(email="eve@example.org", name="Eve"),
        attendees=[
            attendee(email="ada@example.org", name="Ada", empid="E1"),
            attendee(email="dan@example.org"),
            attendee(email="bob@example.org", role=attendee.OPTIONAL),
            attendee(email="cy@example.org", name="Cy", role=attendee.INFORMED),
        ],
        guests_see_each_other=True,
        reminders=[
            task_pb2.Reminder(before=timedelta(days=1)),
            task_pb2.Reminder(before=timedelta(minutes=10)),
        ],
        invite_at=Timestamp(seconds=1893456000),
        strict_time=True,
        texts=task_pb2.MeetingTexts(
            update=mail(template="moved", subject="New time"),
            reminder=mail(subject="Soon"),
            variables={"room": "4.2"},
        ),
        labels={"team": "hr"},
        sender="meet@example.org",
    )
    assert done.code == 0
    assert service.requests == [
        task_pb2.CreateMeetingRequest(meeting=expected, request_id="r", validate_only=True)
    ]


async def test_a_creation_shows_what_is_mailed_and_has_an_id_of_its_own() -> None:
    noted = task_pb2.Meeting(time_note="02:30 does not exist")
    noted.MergeFrom(MEETING)
    async with fake_scheduler(CreateMeeting=[MEETING, noted]) as service:
        done = [await run_command(*CREATE, "--target", service.target) for _ in range(2)]

    first, second = (str(UUID(each.request_id)) for each in requests(service))
    sentence = f"meeting {ID} created: 2030-01-05T09:00 to 2030-01-05T09:30, Europe/Berlin, etag e7"
    effects = (
        "EMAIL            PURPOSE     WHAT   COUNT  IN_FLIGHT\n"
        "ada@example.org  INVITATION  MAKES  1      0\n"
    )
    assert done[0].out == f"{sentence}\n\n{effects}"
    assert done[1].out.splitlines()[0] == f"{sentence}; note that 02:30 does not exist"
    assert first != second


def requests(service: Any) -> list[Any]:
    return list(service.requests)


async def test_a_creation_without_an_answer_says_how_to_repeat_it() -> None:
    async with fake_scheduler(CreateMeeting=grpc.StatusCode.DEADLINE_EXCEEDED) as service:
        done = await run_command(*CREATE, "--target", service.target)

    [request] = requests(service)
    assert done.code == 3
    assert done.err.endswith(
        f"To repeat the command without a second meeting, use --request-id {request.request_id}.\n"
    )


async def test_a_trial_says_that_nothing_was_changed() -> None:
    valid = task_pb2.Meeting(start="2030-01-05T09:00", end="2030-01-05T09:30", time_zone="UTC")
    async with fake_scheduler(CreateMeeting=valid) as service:
        done = await run_command(*CREATE, "--validate-only", "--target", service.target)

    [request] = requests(service)
    assert (request.validate_only, request.request_id) == (True, "")
    assert done.out == (
        "a meeting would be created: 2030-01-05T09:00 to 2030-01-05T09:30, UTC\n\n"
        "no mail is made or changed\n"
    )


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--duration=30"], "invalid duration '30': expected one like 30m or 1h30m"),
        (["--remind=soon"], "invalid duration 'soon'"),
        (["--template=invite=offer"], "invalid kind of mail 'invite': expected one of invitation"),
        (["--subject=update"], "expected name=value"),
        (["--empid=bob@example.org=E2"], "--empid bob@example.org: no attendee has this address"),
        (["--invite-at=daily"], "invalid time 'daily'"),
    ],
)
async def test_a_wrong_option_is_refused_before_the_call(options: list[str], problem: str) -> None:
    async with fake_scheduler(CreateMeeting=MEETING) as service:
        done = await run_command(*CREATE, *options, "--target", service.target)

    assert (done.code, done.out, service.requests) == (2, "", [])
    assert problem in done.err


async def test_a_meeting_needs_an_attendee_a_start_and_a_zone() -> None:
    alone = await run_command(*CREATE[:-1])
    vague = await run_command("meeting", "create", "--summary=Review", "--to=ada@example.org")

    assert (alone.code, alone.err) == (
        2,
        "specify at least one attendee: --to, --optional or --informed\n",
    )
    assert vague.code == 2
    assert "required: --start, --zone" in vague.err


async def test_a_refusal_names_the_options() -> None:
    names = (
        *("meeting.start", "meeting.organizer.email", "meeting.attendees[1].email", "meeting.x"),
        *("meeting.reminders[0].before", "meeting.texts.update.template"),
    )
    refusal = InvalidRequest([Violation(each, "is wrong") for each in names])
    async with fake_scheduler(CreateMeeting=refusal) as service:
        done = await run_command(*CREATE, "--target", service.target)

    assert done.code == 2
    assert done.err.splitlines() == [
        "refused:",
        "  --start: is wrong",
        "  --organizer: is wrong",
        "  --to, --optional, --informed (meeting.attendees[1].email): is wrong",
        "  meeting.x: is wrong",
        "  --remind (meeting.reminders[0].before): is wrong",
        "  --template update: is wrong",
    ]


async def test_an_update_changes_what_is_named_and_clears_what_is_to_be_cleared() -> None:
    options = (
        *("--summary=Plan", "--start=2030-01-05T10:00", "--location=", "--remind=1h"),
        *("--no-guests-see-each-other", "--clear=invite-at", "--clear=labels", "--etag=e7"),
    )
    async with fake_scheduler(UpdateMeeting=MEETING) as service:
        done = await run_command("meeting", "update", ID, *options, "--target", service.target)

    assert done.out.startswith(f"meeting {ID} updated: ")
    assert service.requests == [
        task_pb2.UpdateMeetingRequest(
            meeting=task_pb2.Meeting(
                meeting_id=ID,
                etag="e7",
                summary="Plan",
                start="2030-01-05T10:00",
                reminders=[task_pb2.Reminder(before=timedelta(hours=1))],
            ),
            update_mask=FieldMask(
                paths=[
                    *("guests_see_each_other", "invite_at", "labels", "location", "reminders"),
                    *("start", "summary"),
                ]
            ),
        )
    ]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ([], "specify what to change, as --start, or --clear\n"),
        (["--etag=e7"], "specify what to change, as --start, or --clear\n"),
        (["--url=https://a.example", "--clear=url"], "cannot set and clear url: choose one\n"),
    ],
)
async def test_an_update_that_says_nothing_is_refused(options: list[str], problem: str) -> None:
    done = await run_command("meeting", "update", ID, *options)

    assert (done.code, done.err) == (2, problem)


async def test_attendees_are_added_and_removed() -> None:
    added = task_pb2.Meeting(effects=[INVITED, INVITED])
    async with fake_scheduler(AddAttendees=added, RemoveAttendees=MEETING) as service:
        where = ("--etag=e7", "--json", "--target", service.target)
        first = await run_command(
            *("meeting", "add", ID, "--optional=Bob <bob@example.org>", "--tell-others"), *where
        )
        await run_command(
            *("meeting", "remove", ID, "bob@example.org", "cy@example.org", "--reason=left"), *where
        )

    optional = task_pb2.Attendee(
        email="bob@example.org", name="Bob", role=task_pb2.Attendee.OPTIONAL
    )
    assert service.requests == [
        task_pb2.AddAttendeesRequest(
            meeting_id=ID, etag="e7", attendees=[optional], tell_others=True
        ),
        task_pb2.RemoveAttendeesRequest(
            meeting_id=ID, etag="e7", emails=["bob@example.org", "cy@example.org"], reason="left"
        ),
    ]
    assert [each["count"] for each in json.loads(first.out)["effects"]] == [1, 1]


CANCELLED = task_pb2.Meeting(
    effects=[
        task_pb2.Effect(
            email=email, purpose=task_pb2.Job.CANCELLATION, what=task_pb2.Effect.MAKES, count=1
        )
        for email in ("ada@example.org", "bob@example.org")
    ]
)
CANCELLED.MergeFrom(MEETING)
CANCELLED.effects[2].what = task_pb2.Effect.CANCELS


async def test_a_cancellation_asks_first_and_says_how_many_get_a_mail() -> None:
    async with fake_scheduler(CancelMeeting=CANCELLED) as service:
        arguments = ["meeting", "cancel", ID, "--reason=postponed", "--target", service.target]
        code, shown = await run_on_terminal(arguments, input_text="y\n")
        refused, _ = await run_on_terminal(arguments, input_text="n\n")

    request = task_pb2.CancelMeetingRequest(meeting_id=ID, reason="postponed")
    trial = task_pb2.CancelMeetingRequest(meeting_id=ID, reason="postponed", validate_only=True)
    assert (code, refused) == (0, 1)
    assert 'Cancel "Review" of 2030-01-05T09:00, with a mail to 2 attendees? [y/N] ' in shown
    assert f"meeting {ID} cancelled: " in shown
    assert service.requests == [trial, request, trial]


async def test_without_a_terminal_a_cancellation_needs_yes() -> None:
    async with fake_scheduler(CancelMeeting=CANCELLED) as service:
        where = ("--target", service.target)
        alone = await run_command("meeting", "cancel", ID, *where)
        trial = await run_command("meeting", "cancel", ID, "--validate-only", *where)
        sure = await run_command("meeting", "cancel", ID, "--yes", *where)

    assert (alone.code, trial.code, sure.code) == (2, 0, 0)
    assert "--yes" in alone.err
    assert [each.validate_only for each in requests(service)] == [True, False]


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (UnknownMeeting(ID), 1, "MEETING_NOT_FOUND"),
        (MeetingOver(ID, START), 1, "MEETING_OVER"),
        (EtagMismatch(ID), 1, "ETAG_MISMATCH"),
    ],
)
async def test_a_refused_change_has_its_reason(error: Any, code: int, reason: str) -> None:
    async with fake_scheduler(CancelMeeting=error) as service:
        done = await run_command("meeting", "cancel", ID, "--yes", "--target", service.target)

    assert done.code == code
    assert f"  reason: {reason}\n" in done.err


async def test_a_meeting_is_shown_with_its_people_steps_and_texts() -> None:
    whole = task_pb2.Meeting(
        attendees=[
            task_pb2.Attendee(
                email="bob@example.org",
                role=task_pb2.Attendee.OPTIONAL,
                told=task_pb2.Attendee.SURE,
                delivery=task_pb2.Job.SENT,
                job_id="7",
                removed=True,
            )
        ],
        reminders=[
            task_pb2.Reminder(before=timedelta(days=1, minutes=30)),
            task_pb2.Reminder(before=timedelta(hours=2), template="soon"),
        ],
        texts=task_pb2.MeetingTexts(
            update=task_pb2.MeetingTexts.Mail(subject="Moved"), variables={"room": "4.2"}
        ),
        steps=[task_pb2.MeetingStep(client="hr", method="UpdateMeeting", revision=2)],
        description="First line\nsecond \x1b line",
    )
    whole.MergeFrom(MEETING)
    async with fake_scheduler(GetMeeting=whole) as service:
        shown = await run_command("meeting", "show", ID, "--target", service.target)

    fields, attendees, steps, description = shown.out.split("\n\n")
    assert fields.splitlines() == [
        f"meeting_id      {ID}",
        "etag            e7",
        "state           SCHEDULED",
        "summary         Review",
        "start           2030-01-05T09:00",
        "end             2030-01-05T09:30",
        "time_zone       Europe/Berlin",
        f"start_time      {HERE}",
        "organizer       Eve <eve@example.org>",
        "reminders       1d30m before, 2h before (soon)",
        "update subject  Moved",
        "variables       room=4.2",
    ]
    columns, bob, ada = (line.split() for line in attendees.splitlines())
    assert columns == [
        *("EMAIL", "NAME", "ROLE", "TOLD", "DELIVERY", "JOB_ID", "DELIVERY_REASON", "REMOVED"),
    ]
    assert bob == ["bob@example.org", "-", "OPTIONAL", "SURE", "SENT", "7", "-", "yes"]
    assert ada == [
        *("ada@example.org", "Ada", "REQUIRED", "NOTHING", "-", "-", "-", "no"),
    ]
    assert steps.splitlines()[1].split() == ["-", "hr", "UpdateMeeting", "2", "-", "-"]
    assert description == "First line\nsecond ? line\n"


async def test_an_id_may_be_written_as_a_uuid() -> None:
    async with fake_scheduler(GetMeeting=MEETING) as service:
        where = ("--target", service.target)
        await run_command("meeting", "show", str(UUID(ID)).upper(), *where)
        await run_command("meeting", "show", "Some-other id", *where)

    assert service.requests == [
        task_pb2.GetMeetingRequest(meeting_id=each, view=task_pb2.Meeting.FULL)
        for each in (ID, "Some-other id")
    ]


async def test_meetings_are_listed_page_by_page() -> None:
    pages = [
        task_pb2.ListMeetingsResponse(meetings=[MEETING], next_page_token="next"),
        task_pb2.ListMeetingsResponse(meetings=[MEETING]),
    ]
    options = (
        *("--start-time-from=1893456000", "--start-time-before=2030-02-01T00:00Z"),
        *("--organizer=eve@example.org", "--client=hr", "--order=start-time-desc"),
    )
    async with fake_scheduler(ListMeetings=pages) as service:
        done = await run_command("meeting", "list", *options, "--target", service.target)
        by_attendee = await run_command(
            *("meeting", "list", "--attendee=ada@example.org", "--json", "--full", "--limit=1"),
            *("--target", service.target),
        )

    heading, *rows = (line.split() for line in done.out.splitlines())
    assert heading == ["MEETING_ID", "STATE", "START_TIME", "ATTENDEES", "ORGANIZER", "SUMMARY"]
    assert rows == [[ID, "SCHEDULED", HERE, "1", "eve@example.org", "Review"]] * 2
    assert json.loads(by_attendee.out)["summary"] == "Review"
    request = task_pb2.ListMeetingsRequest(
        filter=task_pb2.MeetingFilter(
            start_time_from=Timestamp(seconds=1893456000),
            start_time_before=Timestamp(seconds=1896134400),
            organizer="eve@example.org",
            client="hr",
        ),
        order=task_pb2.ListMeetingsRequest.START_TIME_DESC,
        page_size=50,
    )
    second = task_pb2.ListMeetingsRequest(page_token="next")
    second.MergeFrom(request)
    second.page_size = 49
    third = task_pb2.ListMeetingsRequest(
        filter=task_pb2.MeetingFilter(attendee="ada@example.org"),
        page_size=1,
        view=task_pb2.Meeting.FULL,
    )
    assert service.requests == [request, second, third]


async def test_a_list_counts_the_attendees_who_are_not_removed() -> None:
    gone = task_pb2.Attendee(email="bob@example.org", removed=True)
    meeting = task_pb2.Meeting(attendees=[gone], client="hr")
    meeting.MergeFrom(MEETING)
    found = task_pb2.ListMeetingsResponse(meetings=[meeting])
    async with fake_scheduler(ListMeetings=found) as service:
        done = await run_command("meeting", "list", "--target", service.target)
        full = await run_command("meeting", "list", "--full", "--target", service.target)

    heading, row = (line.split() for line in done.out.splitlines())
    assert dict(zip(heading, row, strict=True)) | {"ATTENDEES": "1", "CLIENT": "hr"} == dict(
        zip(heading, row, strict=True)
    )
    assert "bob@example.org" in full.out


async def test_a_calendar_file_is_printed_or_written_as_it_is(tmp_path: Path) -> None:
    content = "BEGIN:VCALENDAR\r\nSUMMARY:Köln\r\nEND:VCALENDAR\r\n"
    answer = task_pb2.CalendarFile(name="invite.ics", content=content.encode())
    file = tmp_path / "invite.ics"
    async with fake_scheduler(GetMeetingCalendar=answer) as service:
        where = ("--target", service.target)
        printed = await run_command("meeting", "ics", ID, *where)
        as_json = await run_command("meeting", "ics", ID, "--json", *where)
        written = await run_command(
            *("meeting", "ics", ID, "--attendee=ada@example.org", f"--output={file}"), *where
        )
        again = await run_command("meeting", "ics", ID, f"--output={file}", *where)
        forced = await run_command("meeting", "ics", ID, f"--output={file}", "--force", *where)

    assert printed.out == content
    assert json.loads(as_json.out)["name"] == "invite.ics"
    assert file.read_bytes() == content.encode()
    assert (written.out, written.err) == ("", f"wrote {file} (47 bytes)\n")
    assert (again.code, forced.code) == (1, 0)
    assert "--output:" in again.err
    first, *_ = requests(service)
    assert first == task_pb2.GetMeetingCalendarRequest(meeting_id=ID)
    assert requests(service)[2].email == "ada@example.org"


def test_lengths_are_written_as_options_take_them() -> None:
    assert format_minutes(timedelta(days=28)) == "28d"
    assert format_minutes(timedelta(hours=25, minutes=1)) == "1d1h1m"
    assert format_minutes(timedelta()) == "0m"


def test_the_words_of_the_options_are_those_of_the_contract() -> None:
    orders = [each.upper().replace("-", "_") for each in ORDERS]
    texts = [each.name for each in task_pb2.MeetingTexts.DESCRIPTOR.fields]

    assert ["ORDER_UNSPECIFIED", *orders] == task_pb2.ListMeetingsRequest.Order.keys()
    assert [*ROLES.values()] == task_pb2.Attendee.Role.keys()
    assert [*PURPOSES, "variables"] == texts
