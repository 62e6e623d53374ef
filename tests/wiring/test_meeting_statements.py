"""What meetings cost at a whole service. Oracle: MongoDB's profile of all statements."""

import time
from collections import Counter

import pytest
from google.protobuf.duration_pb2 import Duration
from pymongo.database import Database

from gcsched.pb import task_pb2
from tests.support.in_process_app import (
    RunningApp,
    make_settings,
    read_jobs_if_all_sent,
    running_app,
)
from tests.support.relay.server import Relay
from tests.support.rows import Row
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.wait import until

MAILS = 20
EVENT = task_pb2.Event(
    start="2030-01-05T09:00", duration=Duration(seconds=1800), time_zone="Europe/Berlin"
)


@pytest.fixture
def mongo_uri(new_mongo_uri: str) -> str:
    """A database that has no profile yet."""
    return new_mongo_uri


async def send(app: RunningApp, requests: list[task_pb2.MeetRequest]) -> None:
    async with scheduler_stub(app.target) as stub:
        calls = [stub.ScheduleMeet(each) for each in requests]
        assert all([(await call).success for call in calls])
    await until(lambda: read_jobs_if_all_sent(app.resources), within=30)


def count_statements(raw: Database[Row]) -> Counter[tuple[str, str]]:
    """Return how many statements each collection of meetings had, without those of sweeps.

    Other commands are those of the checks of indexes, and of this test.
    """
    query = {"ns": {"$regex": r"\.meeting"}, "op": {"$ne": "command"}}
    profile = raw["system.profile"].find(query)
    statements = (
        (each["ns"].partition(".")[2], each["op"])
        for each in profile
        if each["command"].get("hint") != "check"
    )
    return Counter(statements)


async def test_mails_without_a_meeting_make_no_statement_about_meetings(
    mongo_uri: str, redis_url: str, raw: Database[Row]
) -> None:
    async with Relay() as relay:
        settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        async with running_app(settings) as app:
            raw.command("profile", 2)
            now = int(time.time())
            await send(app, [a_meet(number, timestamp=now) for number in range(MAILS)])
            raw.command("profile", 0)

    assert count_statements(raw) == Counter()


async def test_an_invitation_costs_one_read_for_each_claim_and_one_note(
    mongo_uri: str, redis_url: str, raw: Database[Row]
) -> None:
    async with Relay() as relay:
        settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        async with running_app(settings) as app:
            raw.command("profile", 2)
            # Not at once: a mail that is claimed before its meeting is stored stores it as well.
            due = int(time.time()) + 2
            await send(
                app,
                [
                    a_meet(number, timestamp=due, event=EVENT, template="doc")
                    for number in range(MAILS)
                ],
            )
            await until(lambda: not raw["meetings"].count_documents({"check": {"$exists": True}}))
            raw.command("profile", 0)
        claims = raw["system.profile"].count_documents(
            {"ns": {"$regex": r"\.jobs$"}, "command.filter.claim": {"$exists": True}}
        )

    counts = count_statements(raw)
    told = [row["attendees"][0]["told"] for row in raw["meetings"].find()]
    assert told == ["SURE"] * MAILS
    assert 1 <= counts.pop(("meetings", "query")) <= claims
    assert counts.pop(("meeting_revisions", "update")) == MAILS, "each is stored once"
    noted = counts.pop(("meetings", "update")) - MAILS  # each is stored once
    assert 1 <= noted <= MAILS, "one update notes many as sent"
    assert counts == Counter()
