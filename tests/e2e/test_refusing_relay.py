"""The application with a relay that refuses the service: no job fails, all mails leave later."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.in_process_app import (
    RunningApp,
    make_settings,
    read_jobs,
    read_jobs_if_all_sent,
    running_app,
)
from tests.support.log_events import Events, find_events
from tests.support.probes import probe_http
from tests.support.relay.server import Answer, At, Relay
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.wait import until


@pytest.fixture
def stores(mongo_uri: str, redis_url: str) -> tuple[str, str]:
    return mongo_uri, redis_url


@asynccontextmanager
async def run_with_relay(stores: tuple[str, str], relay: Relay) -> AsyncIterator[RunningApp]:
    mongo, redis = stores
    settings = make_settings(mongo=mongo, redis=redis, relay_port=relay.port)
    async with running_app(settings) as app:
        yield app


async def schedule_to_domains(app: RunningApp, count: int, *, domains: int = 100) -> None:
    async with scheduler_stub(app.target) as stub:
        for number in range(count):
            email = f"r{number}@d{number % domains}.example.com"
            assert (await stub.ScheduleMeet(a_meet(number, emailID=email))).success


async def count_states(app: RunningApp) -> Counter[str]:
    return Counter(job["state"] for job in await read_jobs(app.resources))


async def read_relay_status(app: RunningApp, relay: Relay) -> str:
    async with probe_http(app.http) as probe:
        _, ready = await probe.get_readiness()
    return str(ready["dependencies"][f"relay 127.0.0.1:{relay.port}"])


SENDER = Answer(553, "5.7.1 sender is not yours")
HELO = Answer(504, "5.5.2 <app>: Helo command rejected: need fully-qualified hostname")
SEND_AS = Answer(550, "5.7.60 Client does not have permissions to send as this sender")
SENDER_REFUSALS = [
    (At.RCPT, SENDER, "GCSCHED_SENDER_EMAIL"),
    (At.RCPT, HELO, "GCSCHED_SMTP_HELO_NAME"),
    (At.BODY, SEND_AS, "GCSCHED_SENDER_EMAIL"),
]


@pytest.mark.parametrize(("at", "answer", "setting"), SENDER_REFUSALS)
async def test_a_relay_that_refuses_the_service_fails_no_job(
    stores: tuple[str, str], events: Events, at: At, answer: Answer, setting: str
) -> None:
    async with Relay() as relay:
        relay.script(at, answer)
        async with run_with_relay(stores, relay) as app:
            await schedule_to_domains(app, 100)
            await until(lambda: find_events(events, "relay is down"))
            shown = await read_relay_status(app, relay)
            before = await count_states(app)

            relay.clear_rules()
            sent = await until(lambda: read_jobs_if_all_sent(app.resources), within=30)

    assert before["FAILED"] == 0
    assert setting in shown
    assert setting in find_events(events, "relay is down")[0]["advice"]
    assert {job["attempt"] for job in sent} == {1}
    assert len(relay.ledger) == len(relay.per_recipient) == 100


async def test_refusals_in_a_row_for_an_unknown_reason_fail_five_jobs_at_most(
    stores: tuple[str, str], events: Events
) -> None:
    async with Relay() as relay:
        relay.script(At.RCPT, Answer(550, "5.1.1 no"))
        async with run_with_relay(stores, relay) as app:
            await schedule_to_domains(app, 100)
            await until(lambda: find_events(events, "relay is held"))
            probed = relay.count_commands("RCPT")
            await until(lambda: relay.count_commands("RCPT") > probed)
            shown = await read_relay_status(app, relay)

            relay.clear_rules()
            await until(lambda: find_events(events, "relay is back"), within=30)
            ended = {"SENT", "FAILED"}

            async def all_ended() -> bool:
                return set(await count_states(app)) <= ended

            await until(all_ended, within=30)
            counted = await count_states(app)

    assert "five recipients of different domains" in shown
    assert counted["FAILED"] <= 5
    assert counted["SENT"] >= 95
    assert len(find_events(events, "relay is held")) == 1
    assert len(relay.ledger) == counted["SENT"]


async def test_one_bad_recipient_among_a_hundred_good_ones_fails_alone(
    stores: tuple[str, str], events: Events
) -> None:
    async with Relay() as relay:
        relay.script(At.RCPT, Answer(550, "5.1.1 no"), to="r7@d7.example.com")
        async with run_with_relay(stores, relay) as app:
            await schedule_to_domains(app, 101)

            async def all_ended() -> bool:
                return await count_states(app) == Counter(SENT=100, FAILED=1)

            await until(all_ended, within=30)

    assert not find_events(events, "relay is held")
    assert not find_events(events, "relay is down")
