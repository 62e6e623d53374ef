"""Refused logins: counted, logged without their tokens, and delayed; each test has its console."""

import asyncio

from tests.support.clients import TestToken, make_token
from tests.support.console import Browser, ConsoleClients, find_base, open_browser
from tests.support.in_process_app import RunningApp
from tests.support.log_events import Events, find_events
from tests.support.probes import probe_http
from tests.support.wait import until


async def test_refused_logins_are_counted_and_logged_without_the_token(
    stranger: Browser, closed_console: RunningApp, clients: ConsoleClients, events: Events
) -> None:
    forged = TestToken(id=clients.tokens["read"].id)
    await stranger.send("/login", {"token": forged.text})
    await stranger.send("/login", {"token": forged.text})

    async with probe_http(closed_console.http) as probe:
        metrics = await probe.scrape()
    assert metrics.by("reason", "gcsched_calls_refused_total") == {"unknown": 2}
    [logged] = find_events(events, "call refused")
    assert (logged["method"], logged["peer"]) == ("console login", "127.0.0.1")
    assert not any(forged.secret in str(each) for each in events)


async def test_many_refused_logins_wait_and_a_right_one_does_not(
    stranger: Browser, closed_console: RunningApp, clients: ConsoleClients
) -> None:
    async with asyncio.TaskGroup() as tasks:
        tries = [
            tasks.create_task(stranger.send("/login", {"token": make_token().text}))
            for _ in range(15)
        ]
        await until(lambda: sum(each.done() for each in tries) >= 10)
        async with open_browser(find_base(closed_console)) as other:
            assert (await other.log_in(clients.tokens["read"])).status == 303
        assert sum(each.done() for each in tries) < 15
        for each in tries:
            each.cancel()
