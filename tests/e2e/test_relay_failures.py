"""The application with a relay that is away, refuses the login, or comes back."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from gcsched.config.settings import Settings
from gcsched.usecases.relays import checks
from gcsched.wiring.resources import Resources
from tests.support.in_process_app import (
    RunningApp,
    make_settings,
    read_jobs,
    read_jobs_if_all_sent,
    running_app,
    schedule_mails,
)
from tests.support.log_events import Events, find_events
from tests.support.ports import free_port
from tests.support.relay.server import Answer, At, Relay
from tests.support.wait import until

MakeSettings = Callable[..., Settings]


@pytest.fixture
def settings_for(mongo_uri: str, redis_url: str, on_uncertain: str) -> MakeSettings:
    return partial(make_settings, mongo=mongo_uri, redis=redis_url, on_uncertain=on_uncertain)


async def schedule_until(app: RunningApp, condition: Callable[[], object], *, first: int) -> int:
    """Schedule one mail after the other until *condition*; return the next number."""
    numbers = itertools.count(first)

    async def schedule_next() -> object:
        await schedule_mails(app, 1, first=next(numbers))
        return condition()

    await until(schedule_next, every=0.1)
    return next(numbers)


async def nothing_is_claimed(resources: Resources) -> bool:
    return not await resources.mongo.jobs.count_documents({"state": "SENDING"})


async def test_a_relay_that_is_down_costs_a_few_connections_and_all_leave_when_it_is_back(
    settings_for: MakeSettings, events: Events
) -> None:
    async with Relay() as relay:
        relay.script(At.CONNECT, Answer(421, "4.3.2 not now"))
        settings = settings_for(relay_port=relay.port)
        async with running_app(settings) as app:
            start = time.monotonic()
            await schedule_mails(app, 400)
            await until(lambda: find_events(events, "relay is down"))
            await until(lambda: nothing_is_claimed(app.resources))
            tried, seconds = relay.sessions, time.monotonic() - start

            relay.clear_rules()
            sent = await until(lambda: read_jobs_if_all_sent(app.resources), within=30)

    assert tried <= 16 + 7 * max(1, seconds), "more than the mails and the checks of that time"
    assert len(relay.ledger) == len(relay.per_recipient) == 400
    assert {job["attempt"] for job in sent} == {1}
    warnings = [each["event"] for each in events if each["log_level"] == "warning"]
    assert warnings == ["relay is down"]
    assert len(find_events(events, "relay is back")) == 1


async def test_a_relay_that_starts_later_gets_its_mails_then(
    settings_for: MakeSettings, events: Events
) -> None:
    port = free_port()
    settings = settings_for(relay_port=port)
    async with running_app(settings) as app:
        await schedule_mails(app, 50)
        await until(lambda: find_events(events, "relay is down"))

        async with Relay(port=port) as relay:
            await until(lambda: len(relay.per_recipient) == 50)
            await until(lambda: read_jobs_if_all_sent(app.resources))

    assert len(relay.ledger) == 50


async def test_a_relay_that_is_down_gets_only_probes_and_checks(
    settings_for: MakeSettings, events: Events
) -> None:
    async with Relay() as relay:
        relay.script(At.CONNECT, Answer(421, "4.3.2 not now"))
        settings = settings_for(relay_port=relay.port)
        async with running_app(settings) as app:
            await schedule_mails(app, 200)
            await until(lambda: find_events(events, "relay is down"))
            await until(lambda: nothing_is_claimed(app.resources))
            before = relay.sessions

            await until(lambda: relay.sessions >= before + 2)

            attempts = sum([len(job.get("attempts", ())) for job in await read_jobs(app.resources)])
            assert attempts <= relay.sessions


async def test_a_wrong_password_uses_up_no_attempt_and_a_corrected_file_is_enough(
    tmp_path: Path, settings_for: MakeSettings, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "LOGIN_POLL_SECONDS", 0.5)
    password = tmp_path / "gcsched_smtp_password"
    password.write_text("wrong\n")
    async with Relay(users={"anna": "right"}) as relay:
        settings = settings_for(
            relay_port=relay.port,
            smtp_username="anna",
            secrets_dir=str(tmp_path),
        )
        async with running_app(settings) as app:
            await schedule_mails(app, 30)
            await until(lambda: find_events(events, "relay is down"))
            await until(lambda: nothing_is_claimed(app.resources))
            before = relay.count_commands("AUTH")
            await until(lambda: relay.count_commands("AUTH") > before)  # a probe fails as well
            attempts = {job["attempt"] for job in await read_jobs(app.resources)}

            await asyncio.to_thread(password.write_text, "right\n")
            sent = await until(lambda: read_jobs_if_all_sent(app.resources), within=15)

    assert attempts == {0}
    assert {job["attempt"] for job in sent} == {1}
    assert len(relay.ledger) == 30
    (line,) = find_events(events, "relay is down")
    assert line["advice"] == (
        "the relay refuses the login: correct GCSCHED_SMTP_PASSWORD or its file; sending waits"
    )
    assert [each for each in events if each["log_level"] == "warning"] == [line]


async def test_a_fallback_takes_over_and_hands_back(
    settings_for: MakeSettings, events: Events
) -> None:
    async with Relay() as first, Relay() as second:
        first.script(At.CONNECT, Answer(421, "4.3.2 not now"))
        settings = settings_for(
            relay_port=first.port,
            fallback_smtp_host="127.0.0.1",
            fallback_smtp_port=str(second.port),
            fallback_smtp_security="none",
        )
        async with running_app(settings) as app:
            await schedule_mails(app, 100)
            await until(lambda: read_jobs_if_all_sent(app.resources))
            by_second = len(second.ledger)

            first.clear_rules()
            scheduled = await schedule_until(app, lambda: first.ledger, first=100)
            await schedule_mails(app, 50, first=scheduled)
            sent = await until(lambda: read_jobs_if_all_sent(app.resources))

    assert by_second == 100
    assert len(first.ledger) >= 51
    assert len(first.per_recipient | second.per_recipient) == len(sent) == scheduled + 50
    assert len(first.ledger) + len(second.ledger) == len(sent)
    by_relay = Counter(job["attempts"][-1]["relay"] for job in sent)
    assert by_relay[f"127.0.0.1:{first.port}"] == len(first.ledger)
    assert by_relay[f"127.0.0.1:{second.port}"] == len(second.ledger)
    (down,), (back,) = find_events(events, "relay is down"), find_events(events, "relay is back")
    assert down["relay"] == back["relay"] == f"127.0.0.1:{first.port}"
    assert str(down["advice"]).endswith("the fallback takes over")
