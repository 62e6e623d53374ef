"""The installation in which tests/measure/console_tasks.py does its tasks."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from gcsched.adapters.mongo.audit import MongoAudit
from gcsched.adapters.mongo.history import MongoHistory
from gcsched.domain.audit import AuditEntry
from gcsched.domain.history import (
    HistoryFigures,
    HistoryShare,
    HistoryStep,
    find_history_bucket,
)
from gcsched.domain.ids import new_id
from gcsched.domain.job import Job, State
from gcsched.pb import task_pb2
from tests.support.clients import TestToken
from tests.support.console_jobs import a_failed_job, a_kept_job, an_uncertain_job, keep
from tests.support.console_meetings import WAITING
from tests.support.console_suppressions import block
from tests.support.in_process_app import RunningApp
from tests.support.meeting_service import ADA, BOB, a_creation, a_meeting
from tests.support.relay.server import Relay
from tests.support.service_process import scheduler_stub

BATCH, OTHERS = 40, 30
REFUSED, MOVED, UNCERTAIN, OLD = (f"{number:032}" for number in range(1, 5))
WRONG, RIGHT = "ada@exmaple.org", "ada@example.org"
BLOCKED, NUISANCE = "blocked@example.org", "nuisance@example.org"
EMPLOYEE = "E17"
PAUSED_BY_OTTO = "the relay moves"
LATE_SECONDS = 30
ZONE = ZoneInfo("Europe/Berlin")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The running service, its relay, and when it was filled."""

    app: RunningApp
    relay: Relay
    now: datetime
    token: TestToken

    async def states(self, *ids: str) -> list[str]:
        found = self.app.resources.mongo.jobs.find({"_id": {"$in": list(ids)}}, sort=[("_id", 1)])
        return [each["state"] async for each in found]

    @staticmethod
    def local(instant: datetime) -> datetime:
        """Return *instant*, as the driver reads it, in the zone of the pages."""
        aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
        return aware.astimezone(ZONE)

    async def read_meeting(self) -> task_pb2.Meeting:
        """Return the one meeting, as a caller reads it."""
        stored = await self.app.resources.mongo.meetings.find_one({})
        assert stored is not None
        async with scheduler_stub(self.app.target) as stub:
            request = task_pb2.GetMeetingRequest(meeting_id=stored["_id"])
            return await stub.GetMeeting(request, metadata=self.token.bearer)

    def recipients(self) -> list[str]:
        return sorted(each.recipient for each in self.relay.ledger)


def list_jobs(now: datetime) -> Iterator[Job]:
    yield a_failed_job(now, id=REFUSED, empid=EMPLOYEE, email=WRONG)
    for number in range(3):
        yield a_failed_job(now, empid=f"F{number}", email=f"f{number}@example.org")
    earlier = {"due_time": now - timedelta(hours=5), "schedule_time": now - timedelta(hours=5)}
    yield a_failed_job(now, id=OLD, empid="F9", email="f9@example.org", **earlier)
    yield an_uncertain_job(now, id=UNCERTAIN, empid="U1", email="uma@example.org")
    yield a_kept_job(now, id=MOVED, empid="M1", email="max@example.org")
    clients = {"payroll": BATCH, "rooms": OTHERS}
    for client, count in clients.items():
        for number in range(count):
            waits = {"empid": f"{client}-{number}", "email": f"{client}{number}@example.org"}
            yield a_kept_job(now, state=State.SCHEDULED, client=client, **waits)


async def fill(app: RunningApp, now: datetime, token: TestToken) -> None:
    """Store what the tasks are about, and what is about nothing."""
    await keep(app, *list_jobs(now))
    await block(app, BLOCKED, reason="the mailbox is full")
    details = {"name": "Ada", "email": WRONG, "first_seen": now, "last_seen": now}
    await app.resources.mongo.recipients.insert_one({"_id": EMPLOYEE, **details})
    await fill_audit(app, now)
    await fill_history(app, now)
    async with scheduler_stub(app.target) as stub:
        meeting: task_pb2.Meeting = a_meeting(ADA, BOB, summary="Review", **WAITING)
        await stub.CreateMeeting(a_creation(meeting), metadata=token.bearer)


async def fill_audit(app: RunningApp, now: datetime) -> None:
    audit = MongoAudit(mongo=app.resources.mongo)
    acts = [("otto", 24, "PauseSending", PAUSED_BY_OTTO), ("mia", 2, "CancelJobs", "client rooms")]
    for client, hours, method, details in acts:
        time = now - timedelta(hours=hours)
        entry = AuditEntry(
            id=new_id(time), time=time, client=client, via="console", method=method, details=details
        )
        await audit.insert(entry)


async def fill_history(app: RunningApp, now: datetime) -> None:
    """Add a mail of last night that was late by LATE_SECONDS."""
    start = HistoryStep.MINUTE.find_start(now - timedelta(hours=8))
    bucket = find_history_bucket(timedelta(seconds=LATE_SECONDS))
    figures = HistoryFigures(start=start, lateness={bucket: 20})
    share = HistoryShare(process="night", number=1, figures=figures)
    await MongoHistory(mongo=app.resources.mongo).add(share)
