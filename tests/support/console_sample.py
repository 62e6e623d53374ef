"""An installation of a company as an operator finds it at night, for pictures of the console."""

import math
from datetime import UTC, datetime, timedelta

from gcsched.adapters.mongo.history import MongoHistory
from gcsched.dev.inbox import MailFolder
from gcsched.domain.history import (
    HistoryFigures,
    HistoryShare,
    HistoryStep,
    find_history_bucket,
)
from gcsched.domain.job import Job, State
from gcsched.domain.smtp_reply import Kind
from gcsched.domain.step import Step
from gcsched.pb import task_pb2
from tests.support.builders import an_attempt
from tests.support.clients import TestToken
from tests.support.console_jobs import a_failed_job, a_kept_job, an_uncertain_job, keep
from tests.support.console_suppressions import block
from tests.support.in_process_app import RunningApp
from tests.support.meeting_service import (
    a_creation,
    a_meeting,
    a_reminder,
    an_attendee,
    in_utc,
)
from tests.support.relay.server import Relay
from tests.support.service_process import Stub, a_meet, scheduler_stub

NAMES = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "Niklaus", "Radia")
MESSAGES = ("Your week at a glance", "Interview on Friday", "Code review at three", "Stand-up")
CLIENTS = ("payroll", "hr-portal", "rooms")
FAILED, WAITING, UNCERTAIN, SENT, RETRYING = (f"{number:032x}" for number in range(1, 6))
ATTENDEES = ("ada@example.org", "grace@example.org", "alan@example.org", "edsger@example.org")


def describe_person(number: int) -> dict[str, str]:
    """Return the fields of a job that are about its recipient."""
    name = NAMES[number % len(NAMES)]
    return {
        "empid": f"E{1000 + number}",
        "name": name,
        "email": f"{name.lower()}@example.org",
        "message": MESSAGES[number % len(MESSAGES)],
        "client": CLIENTS[number % len(CLIENTS)],
    }


def list_jobs(now: datetime) -> list[Job]:
    """Build jobs of every state; those with the ids above are shown on their own pages."""
    step = Step(
        time=now - timedelta(minutes=4),
        client="eva",
        via="console",
        method="RetryJob",
        previous_state="FAILED",
        state="RETRYING",
        reason="the mailbox exists again",
    )
    accepted = an_attempt(
        start_time=now - timedelta(minutes=10, seconds=1),
        end_time=now - timedelta(minutes=10),
        kind=Kind.ACCEPTED,
        relay="mx1.example.net",
        code=250,
        text="250 2.0.0 Ok: queued as 4F1A",
    )
    lost = dict.fromkeys(("schedule_time", "due_time"), now - timedelta(minutes=11))
    jobs = [
        a_failed_job(now, id=FAILED, **describe_person(0)),
        a_kept_job(now, id=WAITING, **describe_person(1)),
        an_uncertain_job(now, id=UNCERTAIN, **describe_person(2), **lost),
        an_uncertain_job(now, **describe_person(3), **lost),
    ]
    states = (State.SCHEDULED, State.SENT, State.SENT, State.CANCELLED, State.EXPIRED)
    for number in range(4, 34):
        state = states[number % len(states)]
        own = {"dedup_key": None, "attempts": (accepted,), "attempt": 1}
        found = own if state is State.SENT else {}
        due = {} if state is State.SCHEDULED else {"due_time": now - timedelta(minutes=10 + number)}
        jobs.append(a_kept_job(now, state=state, **describe_person(number), **found, **due))
    past = now - timedelta(minutes=10, seconds=1)
    sent = {"state": State.SENT, "attempts": (accepted,), "attempt": 1, "dedup_key": None}
    sent |= {"schedule_time": past, "due_time": past}
    jobs.append(a_kept_job(now, id=SENT, **describe_person(40), **sent))
    retried = {"state": State.RETRYING, "steps": (step,), "due_time": now + timedelta(days=1)}
    jobs.append(a_failed_job(now, id=RETRYING, **{**describe_person(41), **retried}))
    return jobs


def make_figures(start: datetime, number: int) -> HistoryFigures:
    """Build a minute of a working day: mails that come in waves, and one trouble of a relay."""
    mails = round(400 + 300 * math.sin(number / 7))
    is_trouble = 20 <= number < 26
    slow = timedelta(seconds=20 if is_trouble else 2)
    return HistoryFigures(
        start=start,
        attempts={"ACCEPTED": mails, **({"DEFERRED": 80} if is_trouble else {}), "RECIPIENT": 3},
        admissions={"created": mails + 5, "duplicate": 4, "invalid": 1},
        lateness={
            find_history_bucket(timedelta(milliseconds=300)): mails - 9,
            find_history_bucket(slow): 9,
        },
        oldest_due=timedelta(seconds=30 if is_trouble else 1),
    )


async def keep_history(app: RunningApp, minutes: int = 58) -> None:
    now = HistoryStep.MINUTE.find_start(app.resources.clock())
    store = MongoHistory(mongo=app.resources.mongo)
    for number in range(minutes):
        start = now - (minutes - number) * HistoryStep.MINUTE.length
        figures = make_figures(start, number)
        await store.add(HistoryShare(process="sample", number=number + 1, figures=figures))


async def make_meeting(stub: Stub, token: TestToken) -> str:
    """Create a meeting of four, move it after the first has got the mail; return its id."""
    attendees = [an_attendee(each, name=each.partition("@")[0].title()) for each in ATTENDEES]
    meeting = a_meeting(
        summary="Review of the engine",
        location="Room 4.2",
        url="https://meet.example.org/j/42",
        duration=timedelta(minutes=45),
        attendees=attendees,
        reminders=[a_reminder(hours=1), a_reminder(minutes=10)],
        **in_utc(timedelta(days=2)),
    )
    found = await stub.CreateMeeting(a_creation(meeting), metadata=token.bearer)
    for number in range(1, 4):
        later = a_meeting(
            ATTENDEES[number], summary=f"Stand-up {number}", **in_utc(timedelta(days=number))
        )
        await stub.CreateMeeting(a_creation(later), metadata=token.bearer)
    return found.meeting_id


async def move_meeting(stub: Stub, token: TestToken, meeting_id: str) -> None:
    start = in_utc(timedelta(days=2, hours=3))["start"]
    update = task_pb2.UpdateMeetingRequest(
        meeting=task_pb2.Meeting(meeting_id=meeting_id, start=start),
        update_mask={"paths": ["start"]},
    )
    await stub.UpdateMeeting(update, metadata=token.bearer)


async def fill(app: RunningApp, token: TestToken) -> str:
    """Fill the installation with jobs, meetings, figures and suppressions; return a meeting."""
    now = datetime.now(UTC).replace(microsecond=0)
    await keep(app, *list_jobs(now))
    await keep_history(app)
    await block(app, "old@example.org", reason="550 5.1.1 at RCPT: User unknown", job_id=FAILED)
    await block(app, "gone@example.net", reason="asked by the works council")
    async with scheduler_stub(app.target) as stub:
        for number in range(3):
            await stub.ScheduleMeet(a_meet(number), metadata=token.bearer)
        return await make_meeting(stub, token)


def fill_inbox(folder: MailFolder, relay: Relay) -> str:
    """Write what *relay* has kept into the inbox; return the id of a mail."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    times = [start + timedelta(seconds=number) for number in range(len(relay.ledger))]
    names = [f"{time:%Y%m%dT%H%M%S}.000000Z" for time in times]
    folder.folder.mkdir(exist_ok=True)
    for name, kept in zip(names, relay.ledger, strict=True):
        (folder.folder / f"{name}-{kept.recipient}.eml").write_bytes(kept.content)
    return names[0]
