"""Meetings for the pages of the console, and what these pages say of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from lxml import html as parser
from msgspec.structs import replace

from gcsched.adapters.mongo.meetings.store import MongoMeetings
from gcsched.pb import task_pb2
from tests.support.builders import a_revision
from tests.support.clients import TestToken
from tests.support.console import Answer
from tests.support.corrupt_jobs import RETENTION
from tests.support.in_process_app import RunningApp
from tests.support.meeting_service import a_creation, a_meeting
from tests.support.service_process import scheduler_stub
from tests.support.stored_meetings import a_planned_meeting

WAITING = {"invite_at": datetime.now(UTC) + timedelta(hours=1)}
"""The invitations wait, so nothing changes by itself while a test looks."""


def read_words(element: parser.HtmlElement) -> str:
    """Return the text of *element* on one line, with spaces between its parts."""
    return " ".join(" ".join(element.itertext()).split())


def read_table(page: Answer, label: str) -> list[list[str]]:
    """Return the cells of the table that is called *label*, by its rows."""
    [table] = page.find(f"[aria-label='{label}'] table")
    return [[read_words(cell) for cell in row] for row in table.cssselect("tbody tr")]


async def create_as(
    app: RunningApp, token: TestToken, *emails: str, **fields: Any
) -> task_pb2.Meeting:
    """Create a meeting of the client that has *token*."""
    async with scheduler_stub(app.target) as stub:
        request = a_creation(a_meeting(*emails, **fields))
        return await stub.CreateMeeting(request, metadata=token.bearer)


async def keep_past_meeting(app: RunningApp, summary: str) -> None:
    """Store a meeting that ended four hours ago."""
    end = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=4)
    start = end - timedelta(hours=1)
    wall = {"start_wall": start.replace(tzinfo=None), "end_wall": end.replace(tzinfo=None)}
    revision = a_revision(start=start, end=end, zone="UTC", summary=summary, **wall)
    meeting = replace(a_planned_meeting(), revision=revision, check_time=None)
    store = MongoMeetings(mongo=app.resources.mongo, retention=RETENTION)
    await store.insert(meeting, within=timedelta(seconds=5))
