"""Every method of both clients, against a service that is frozen, away and full."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import grpc
import pytest

from gcsched.client import TIMEOUT_SECONDS, AsyncClient, Client, Health
from gcsched.client.health import WATCH_OPTIONS
from gcsched.errors import Overloaded
from tests.scenarios.client_failures import open_callers
from tests.scenarios.method_calls import ASYNC, BLOCKING, METHODS, CallEnd, Subjects, call_each
from tests.support.fake_scheduler import FakeAnswer, fake_scheduler
from tests.support.handlers import METHOD_NAMES
from tests.support.ports import free_port
from tests.support.relay.server import Relay
from tests.support.service_process import environment, running_service
from tests.support.wait import until

NAMES = list(METHODS)
NOTHING = {BLOCKING: Subjects(), ASYNC: Subjects()}
NOT_THERE = {"cancel", "reschedule", "retry", "resolve", "get_job"} | {
    "get_suppression",
    "remove_suppression",
    "get_recipient",
    *("get_meeting", "update_meeting", "cancel_meeting", "add_attendees", "remove_attendees"),
    "meeting_calendar",
}
CHOOSABLE = [each for each in NAMES if each != "schedule_meet"]  # it has no time limit of its own
FROZEN_SECONDS = 0.5


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_no_method_of_the_client_is_missing_here(client: type[Client | AsyncClient]) -> None:
    public = {name for name in dir(client) if not name.startswith("_")}

    assert public - {"close", "watch_health"} == set(NAMES)


def group_methods(ends: Sequence[CallEnd]) -> dict[str, set[str]]:
    """Return the names of the errors, each with the methods that raised it."""
    return {
        error: {each.method for each in ends if each.raised == error}
        for error in {each.raised for each in ends}
    }


@pytest.fixture
def quick_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the times of a watch of health: it finds a frozen service in two seconds."""
    quick = {
        "grpc.keepalive_time_ms": 1_000,
        "grpc.http2.ping_timeout_ms": 300,
        "grpc.min_reconnect_backoff_ms": 300,
    }
    options = [(name, quick.get(name, value)) for name, value in WATCH_OPTIONS]
    monkeypatch.setattr("gcsched.client.connection.WATCH_OPTIONS", options)


async def call_nothing() -> list[CallEnd]:
    """Call at a port where nothing listens."""
    target = f"127.0.0.1:{free_port()}"
    with Client(target) as client:
        async with AsyncClient(target) as async_client:
            return await call_each(client, async_client, NOTHING, NAMES)


@pytest.mark.usefixtures("quick_pings")
async def test_each_method_fails_in_time_while_the_service_is_frozen_or_away(
    tmp_path: Path, mongo_uri: str, redis_url: str, relay: Relay
) -> None:
    settings = environment(
        mongo=mongo_uri,
        redis=redis_url,
        relay_port=relay.port,
        test_recipients="example.org",
    )
    missing = asyncio.create_task(call_nothing())  # at the same time: its retries wait for seconds
    async with (
        running_service(tmp_path, settings) as service,
        open_callers(service.target) as callers,
    ):
        call = partial(call_each, callers.blocking, callers.asynchronous, NOTHING)
        working = await call(NAMES)
        service.freeze()
        frozen = await call(CHOOSABLE, timeout=FROZEN_SECONDS)
        await until(lambda: callers.health.are(Health.UNREACHABLE))
        service.thaw()
        await until(lambda: callers.health.are(Health.SERVING))
        thawed = await call(NAMES)
    away = await missing

    assert (
        group_methods(working)
        == group_methods(thawed)
        == {"": set(NAMES) - NOT_THERE, "NotFound": NOT_THERE}
    )
    assert group_methods(frozen) == {"DeadlineExceeded": set(CHOOSABLE)}
    assert max(each.seconds for each in frozen) < FROZEN_SECONDS + 1
    assert group_methods(away) == {"Unavailable": set(NAMES)}
    assert max(each.seconds for each in away) < TIMEOUT_SECONDS


async def test_each_method_says_when_to_call_a_full_service_again() -> None:
    full = Overloaded(9, retry_after=timedelta(seconds=3))
    answers: dict[str, FakeAnswer] = dict.fromkeys(METHOD_NAMES, full)
    async with fake_scheduler(**answers) as server:
        with Client(server.target) as client:
            async with AsyncClient(server.target) as async_client:
                ends = await call_each(client, async_client, NOTHING, NAMES)

    assert group_methods(ends) == {"ResourceExhausted": set(NAMES)}
    assert {(each.reason, each.retry_after) for each in ends} == {("OVERLOADED", 3.0)}


async def test_a_call_that_grpc_itself_refuses_is_an_error_of_the_client() -> None:
    refused = grpc.StatusCode.RESOURCE_EXHAUSTED  # without details, as of a message over 4 MiB
    codes = dict.fromkeys(METHOD_NAMES, refused)
    async with fake_scheduler(**codes) as server:
        with Client(server.target) as client:
            async with AsyncClient(server.target) as async_client:
                ends = await call_each(client, async_client, NOTHING, NAMES)

    assert group_methods(ends) == {"ResourceExhausted": set(NAMES)}
    assert {(each.reason, each.retry_after) for each in ends} == {("", 0.0)}
