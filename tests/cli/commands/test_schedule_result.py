"""The report of `gcsched schedule`: every outcome and state, and what blocks the mail."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gcsched.pb import task_pb2
from tests.support.command import CommandResult, run_command, run_gcsched
from tests.support.fake_scheduler import ErrorAnswer, fake_scheduler
from tests.support.in_process_app import make_settings, running_app
from tests.support.relay.server import Relay
from tests.support.wait import until

SCHEDULE_COMMAND = ("schedule", "--to=ada@example.org", "--empid=E1815", "--message=Interview")
DUE = datetime(2030, 1, 5, 9, tzinfo=UTC)
DUE_TEXT = DUE.astimezone().isoformat()
STATES = task_pb2.Job.State.keys()
WAITING = {"STATE_UNSPECIFIED", "QUEUED", "SCHEDULED", "RETRYING"}
MAY_STILL_LEAVE = {*WAITING, "SENDING", "UNCERTAIN"}
PAUSE = task_pb2.Pause(by="ada@desk", reason="the relay moves", start_time=DUE)
PAUSED = task_pb2.StatusReport(pause=PAUSE)


def reply(state: str, outcome: str = "REPLAYED") -> task_pb2.MeetResponse:
    return task_pb2.MeetResponse(
        success=True, job_id="7", due_time=DUE, outcome=outcome, state=state
    )


def a_suppression(until: datetime) -> task_pb2.Suppression:
    return task_pb2.Suppression(email="ada@example.org", reason="bounced", expire_time=until)


OUTLASTING_SUPPRESSION = a_suppression(DUE + timedelta(seconds=1))


async def run_schedule(*options: str, **answers: Any) -> CommandResult:
    async with fake_scheduler(**answers) as service:
        return await run_command(*SCHEDULE_COMMAND, *options, "--target", service.target)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("STATE_UNSPECIFIED", f"due {DUE_TEXT}"),
        ("QUEUED", "due with the next daily run"),
        ("SCHEDULED", f"due {DUE_TEXT}"),
        ("SENDING", "SENDING: the mail is on its way to the relay"),
        ("RETRYING", f"RETRYING: the next attempt is due {DUE_TEXT}"),
        ("UNCERTAIN", "UNCERTAIN: the relay may have taken the mail; "),
        ("SENT", "already SENT: no second mail is sent"),
        ("FAILED", "already FAILED: no mail is sent; "),
        ("CANCELLED", "already CANCELLED: no mail is sent"),
        ("EXPIRED", "already EXPIRED: no mail is sent; "),
        (
            "SUPPRESSED",
            "already SUPPRESSED: no mail is sent while the address is suppressed; to send it, use",
        ),
    ],
)
async def test_a_repeated_request_shows_the_state_of_its_job(state: str, words: str) -> None:
    at = "daily" if state == "QUEUED" else "now"
    done = await run_schedule("--at", at, ScheduleMeet=reply(state))

    assert done.code == 0
    assert done.out.startswith(f"accepted before: job 7, {words}")
    assert done.out.count("\n") == 1


@pytest.mark.parametrize("state", STATES)
async def test_a_suppression_and_a_pause_are_shown_for_waiting_jobs_only(state: str) -> None:
    done = await run_schedule(
        ScheduleMeet=reply(state), GetSuppression=OUTLASTING_SUPPRESSION, GetStatus=PAUSED
    )

    assert ("ada@example.org gets no mail until" in done.out) is (state in WAITING)
    assert ("sending is paused by" in done.out) is (state in WAITING)
    if state not in MAY_STILL_LEAVE:
        assert "no mail is sent" in done.out or "no second mail is sent" in done.out


async def test_a_suppression_is_shown_with_reason_and_expire_time() -> None:
    done = await run_schedule(
        ScheduleMeet=reply("SCHEDULED", "CREATED"), GetSuppression=OUTLASTING_SUPPRESSION
    )

    until = OUTLASTING_SUPPRESSION.expire_time.ToDatetime(UTC).astimezone().isoformat()
    assert done.out == (
        f"accepted: job 7, due {DUE_TEXT}; but ada@example.org gets no mail until {until}"
        ' ("bounced"): the job ends SUPPRESSED unless `gcsched suppression remove` removes the'
        " suppression\n"
    )


@pytest.mark.parametrize(
    ("pause", "advice"),
    [
        ({}, "; to send the mail, use `gcsched suppression remove`, then `gcsched job retry 7`"),
        ({"GetStatus": PAUSED}, " unless `gcsched suppression remove` removes the suppression"),
    ],
)
async def test_the_advice_for_a_suppressed_mail_due_now_depends_on_a_pause(
    pause: dict[str, task_pb2.StatusReport], advice: str
) -> None:
    due_now = task_pb2.MeetResponse(
        success=True, job_id="7", due_time=datetime.now(UTC), outcome="CREATED", state="SCHEDULED"
    )
    done = await run_schedule(ScheduleMeet=due_now, GetSuppression=OUTLASTING_SUPPRESSION, **pause)

    assert f"the job ends SUPPRESSED{advice}" in done.out


async def test_the_advice_for_a_suppressed_mail_due_now_sends_it(
    mongo_uri: str, redis_url: str
) -> None:
    async with (
        Relay() as relay,
        running_app(make_settings(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)) as app,
    ):
        to = ("--target", app.target)
        await run_gcsched("suppression", "add", "ada@example.org", "--reason=left", *to)
        suppressed = await run_gcsched(*SCHEDULE_COMMAND, "--at=now", *to)
        [remove, retry] = [
            each.split() for each in re.findall(r"`gcsched (.+?)`", suppressed.stdout)
        ]

        async def is_suppressed() -> bool:
            shown = await run_gcsched("job", "show", retry[-1], "--json", *to)
            return bool(json.loads(shown.stdout)["state"] == "SUPPRESSED")

        await until(is_suppressed)
        await run_gcsched(*remove, "ada@example.org", *to)
        retried = await run_gcsched(*retry, *to)
        await until(lambda: len(relay.ledger) == 1)

    assert retried.returncode == 0, retried.stderr


async def test_a_suppression_that_expires_by_then_is_not_shown() -> None:
    ends = a_suppression(DUE)
    done = await run_schedule(ScheduleMeet=reply("SCHEDULED", "CREATED"), GetSuppression=ends)

    assert done.out == f"accepted: job 7, due {DUE_TEXT}\n"


async def test_a_pause_is_shown_with_who_and_why() -> None:
    done = await run_schedule(ScheduleMeet=reply("SCHEDULED", "CREATED"), GetStatus=PAUSED)

    assert done.out == (
        f'accepted: job 7, due {DUE_TEXT}; but sending is paused by "ada@desk" since {DUE_TEXT}'
        ' ("the relay moves"): mails wait until `gcsched resume`\n'
    )


async def test_json_has_the_suppression_and_the_pause() -> None:
    found = {"GetSuppression": OUTLASTING_SUPPRESSION, "GetStatus": PAUSED}
    done = await run_schedule("--json", ScheduleMeet=reply("SCHEDULED", "CREATED"), **found)

    shown = json.loads(done.out)
    assert done.out.count("\n") == 1
    assert shown["suppression"]["expire_time"] == "2030-01-05T09:00:01Z"
    assert shown["pause"]["by"] == "ada@desk"


@pytest.mark.parametrize(
    "code",
    [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INTERNAL],
)
async def test_an_accepted_job_stays_accepted_if_the_lookup_of_blockers_fails(
    code: grpc.StatusCode,
) -> None:
    no = ErrorAnswer(code=code)
    done = await run_schedule(
        ScheduleMeet=reply("SCHEDULED", "CREATED"), GetSuppression=no, GetStatus=no
    )

    assert (done.code, done.out, done.err) == (0, f"accepted: job 7, due {DUE_TEXT}\n", "")


async def test_text_from_others_does_not_move_the_cursor() -> None:
    forged = task_pb2.Suppression(
        email="a\x1b[2J@example.org", reason='x"\n\x1b[2J', expire_time=Timestamp(seconds=2**33)
    )
    done = await run_schedule(ScheduleMeet=reply("SCHEDULED", "CREATED"), GetSuppression=forged)

    assert "\x1b" not in done.out
    assert done.out.count("\n") == 1


async def test_a_real_service_reports_a_suppression_and_a_pause(
    mongo_uri: str, redis_url: str
) -> None:
    async with running_app(make_settings(mongo=mongo_uri, redis=redis_url, relay_port=9)) as app:
        to = ("--target", app.target)
        await run_gcsched("suppression", "add", "ADA@example.org", "--reason=left", *to)
        await run_gcsched("pause", "--reason=the relay moves", "--by=ada@desk", *to)
        suppressed = await run_gcsched(*SCHEDULE_COMMAND, "--at=+1h", *to)
        await run_gcsched("suppression", "remove", "ada@example.org", *to)
        await run_gcsched("resume", "--by=ada@desk", *to)
        unblocked = await run_gcsched(*SCHEDULE_COMMAND, "--at=+2h", *to)

    assert "gets no mail until" in suppressed.stdout
    assert '("left")' in suppressed.stdout
    assert 'sending is paused by "ada@desk"' in suppressed.stdout
    assert ";" not in unblocked.stdout
