"""The application with a Redis that sends invalid replies: mails leave, calls are answered."""

import time
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pymongo import MongoClient

from tests.support.fake_redis import REPLIES, a_fake_redis
from tests.support.in_process_app import (
    RunningApp,
    make_settings,
    read_jobs,
    running_app,
    schedule_mails,
)
from tests.support.log_events import Events
from tests.support.relay.server import Relay
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.wait import until

TESTED_KINDS = (
    *("OK", "one", "ones", "null", "empty array", "nested arrays", "two integers", "HTTP"),
    *("a large grant", "wake-ups", "a wait of years", "binary", "a wrong type byte", "two replies"),
)
MAILS_PER_KIND = 4


async def schedule_in_two_seconds(app: RunningApp, number: int) -> float:
    due = int(time.time()) + 2
    async with scheduler_stub(app.target) as stub:
        assert (await stub.ScheduleMeet(a_meet(number, timestamp=due))).success
    return due


def an_orphan(number: int) -> dict[str, Any]:
    """Return the fields of a job whose worker died between the fence and the outcome."""
    long_ago = datetime(2024, 1, 1, tzinfo=UTC)
    return {"state": "SENDING", "claim": f"dead-{number}", "begun": long_ago, "lease": long_ago}


async def test_mails_leave_on_time_and_each_is_sent_once(mongo_uri: str, events: Events) -> None:
    async with Relay() as relay, a_fake_redis() as fake:
        settings = make_settings(
            mongo=mongo_uri, redis=fake.url, relay_port=relay.port, smtp_rate="2000"
        )
        async with running_app(settings) as app:
            for round_, kind in enumerate(TESTED_KINDS):
                fake.reply = REPLIES[kind]
                fake.drop_all()
                await schedule_mails(app, MAILS_PER_KIND, first=round_ * MAILS_PER_KIND)
                scheduled = (round_ + 1) * MAILS_PER_KIND
                await until(partial(has_mail_for, relay, scheduled), within=5)
            due = await schedule_in_two_seconds(app, 9000)
            await until(lambda: len(relay.per_recipient) == scheduled + 1)
            late = time.time() - due
            found = await until(lambda: all_are_sent(app))

    assert {job["attempt"] for job in found} == {1}
    assert len(relay.ledger) == len(found) == len(TESTED_KINDS) * MAILS_PER_KIND + 1
    assert late < 1
    assert [each for each in events if each["log_level"] in {"error", "critical"}] == []


def has_mail_for(relay: Relay, count: int) -> bool:
    return len(relay.per_recipient) == count


async def all_are_sent(app: RunningApp) -> list[dict[str, Any]]:
    found = await read_jobs(app.resources)
    return found if {job["state"] for job in found} == {"SENT"} else []


async def test_a_redis_that_claims_to_have_every_key_does_not_prove_a_mail_sent(
    mongo_uri: str,
) -> None:
    async with Relay() as relay, a_fake_redis(REPLIES["ones"]) as fake:
        settings = make_settings(
            mongo=mongo_uri, redis=fake.url, relay_port=relay.port, on_uncertain="hold"
        )
        async with running_app(settings) as app:
            await schedule_mails(app, 1)
            await until(lambda: all_are_sent(app))
            before = len(relay.ledger)
            with MongoClient[dict[str, Any]](mongo_uri) as raw:
                collection = raw.get_default_database()["jobs"]
                collection.update_one({}, {"$set": an_orphan(1)})
            [job] = await until(lambda: read_settled_jobs(app), within=15)

    assert job["state"] == "UNCERTAIN"
    assert len(relay.ledger) == before


async def read_settled_jobs(app: RunningApp) -> list[dict[str, Any]]:
    return [job for job in await read_jobs(app.resources) if job["state"] != "SENDING"]
