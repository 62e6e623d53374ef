"""An urgent mail is the next one that a session gets, however many wait for one."""

import asyncio
from functools import partial
from typing import Any

from gcsched.pb import task_pb2
from tests.support.in_process_app import RunningApp, make_settings, running_app, schedule_mails
from tests.support.relay.script import Hang
from tests.support.relay.server import Relay
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.wait import until

FULL_CLAIM_COUNT = 9  # of the 16 that are claimed for one session at most


async def state_of(app: RunningApp, empid: str) -> Any:
    job = await app.resources.mongo.jobs.find_one({"empid": empid})
    return job and job["state"]


async def test_an_urgent_mail_overtakes_all_mails_that_wait_for_a_busy_session(
    mongo_uri: str, redis_url: str, relay: Relay
) -> None:
    free = asyncio.Event()
    relay.script("BODY", Hang(until=free), nth=1)
    settings = make_settings(
        mongo=mongo_uri, redis=redis_url, relay_port=relay.port, smtp_sessions="1"
    )
    async with running_app(settings) as app, scheduler_stub(app.target) as stub:
        await schedule_mails(app, 50)
        await until(lambda: has_claimed(app, at_least=FULL_CLAIM_COUNT))

        # Claims come one after the other: what the second one took, the first has handed over.
        for number in (900, 901):
            await stub.ScheduleMeet(a_meet(number, priority=task_pb2.URGENT))
            await until(partial(is_claimed, app, f"EMP000{number}"))
        free.set()
        await until(lambda: len(relay.ledger) == 52, within=20)

    # One mail has the session, and the envelope of another one is behind its body already.
    assert relay.ledger[2].recipient.startswith("900-")


async def has_claimed(app: RunningApp, *, at_least: int) -> bool:
    return await app.resources.mongo.jobs.count_documents({"state": "SENDING"}) >= at_least


async def is_claimed(app: RunningApp, empid: str) -> bool:
    return bool(await state_of(app, empid) == "SENDING")
