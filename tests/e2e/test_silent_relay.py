"""The application with a relay that accepts connections and answers nothing, and a fallback."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from pymongo import MongoClient

from gcsched.config.settings import Settings
from gcsched.domain.silence_limit import SilenceLimit
from tests.support.in_process_app import (
    RunningApp,
    make_settings,
    read_jobs_if_all_sent,
    running_app,
    schedule_mails,
)
from tests.support.log_events import Events
from tests.support.relay.server import At, Hang, Relay
from tests.support.wait import until

SILENCE_LIMIT_SECONDS = 0.5
MakeSettings = Callable[[Relay, Relay], Settings]


@pytest.fixture(autouse=True)
def short_silence_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "gcsched.wiring.relays.SILENCE_LIMIT", SilenceLimit(min_seconds=SILENCE_LIMIT_SECONDS)
    )
    monkeypatch.setattr(
        "gcsched.usecases.delivery.worker_scaler.STUCK_AFTER_SECONDS", SILENCE_LIMIT_SECONDS
    )
    monkeypatch.setattr("gcsched.usecases.delivery.worker_pool.SCALE_EVERY_SECONDS", 0.1)


@pytest.fixture
def settings(mongo_uri: str, redis_url: str) -> MakeSettings:
    def make(first: Relay, second: Relay) -> Settings:
        return make_settings(
            mongo=mongo_uri,
            redis=redis_url,
            relay_port=first.port,
            fallback_smtp_host="127.0.0.1",
            fallback_smtp_port=str(second.port),
            fallback_smtp_security="none",
            smtp_sessions="4",
            stop_grace_seconds="1",
        )

    return make


async def test_mails_go_to_the_fallback_until_the_first_relay_answers_again(
    settings: MakeSettings, events: Events
) -> None:
    async with Relay() as first, Relay() as second:
        first.script(At.CONNECT, Hang())
        async with running_app(settings(first, second)) as app:
            started = time.monotonic()
            await schedule_mails(app, 60)
            await until(lambda: len(second.per_recipient) == 60, within=5)
            took = time.monotonic() - started

            first.clear_rules()
            first.drop_all()
            await until(partial(is_answering_again, app, first), within=15)
            sent = await until(lambda: read_jobs_if_all_sent(app.resources))

    assert took < 5
    assert {job["attempt"] for job in sent} == {1}
    assert len(first.ledger) + len(second.ledger) == len(sent)
    changes = [each["event"] for each in events if each["event"].startswith("relay is")]
    assert changes == ["relay is down", "relay is back"]


async def is_answering_again(app: RunningApp, first: Relay) -> bool:
    await schedule_mails(app, 1, first=1000 + int(time.monotonic() * 1000) % 1_000_000)
    return bool(first.ledger)


async def test_a_single_mail_in_a_quiet_service_leaves_by_the_fallback(
    settings: MakeSettings,
) -> None:
    async with Relay() as first, Relay() as second:
        first.script(At.EHLO, Hang())
        async with running_app(settings(first, second)) as app:
            for number in range(3):
                started = time.monotonic()
                await schedule_mails(app, 1, first=number)
                await until(partial(has_mails, second, number + 1))
                assert time.monotonic() - started < 5


def has_mails(relay: Relay, count: int) -> bool:
    return len(relay.ledger) == count


async def test_mails_whose_bodies_are_unanswered_delay_no_other_mails(
    settings: MakeSettings, mongo_uri: str
) -> None:
    async with Relay() as first, Relay() as second:
        first.script(At.BODY, Hang())
        async with running_app(settings(first, second)) as app:
            await schedule_mails(app, 4)
            # Now each worker waits for the reply to a body.
            await until(lambda: first.count_commands("DATA") == 4)
            started = time.monotonic()
            await schedule_mails(app, 30, first=100)
            await until(lambda: len(second.per_recipient) == 30)
            took = time.monotonic() - started
        # The stop made the four unanswered attempts end; each has an outcome in MongoDB.
        with MongoClient[dict[str, Any]](mongo_uri) as raw:
            found = list(raw.get_default_database()["jobs"].find())

    assert first.ledger == []
    assert took < 15  # not the minutes that the relay may take for a body
    states = [(job["state"], len(job["attempts"])) for job in found]
    assert sorted(states) == sorted([("RETRYING", 1)] * 4 + [("SENT", 1)] * 30)
