"""The end of the service: no task runs on, and the process ends in time."""

import asyncio
import gc
from uuid import uuid4

import pytest
from redis import Redis
from structlog.testing import capture_logs

from gcsched import app
from gcsched.errors import CannotListen, StoreUnavailable
from gcsched.wiring.assembly import Service
from gcsched.wiring.background import cancel_all_tasks
from tests.support.in_process_app import (
    make_settings,
    read_jobs_if_all_sent,
    running_app,
    schedule_mails,
)
from tests.support.relay.server import Relay
from tests.support.wait import until


class FakeWatchdog:
    """A watchdog that records when it would abort the process."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def arm(self, seconds: float, why: str) -> None:
        assert why
        self.seconds.append(seconds)


class Injected(Exception):
    """An unexpected error."""


def connections_of(name: str, url: str) -> int:
    """Count the connections of *name* at Redis: a pool keeps its highest number."""
    with Redis.from_url(url) as raw:
        return [each["name"] for each in raw.client_list()].count(name)


def fail_on_serving(_: Service, __: int) -> None:
    raise Injected


async def test_a_failure_while_serving_ends_all_tasks_before_the_stores_close(
    mongo_uri: str, redis_url: str
) -> None:
    watchdog = FakeWatchdog()
    hooks = app.ProcessHooks(watchdog=watchdog, close_seconds=30.0)
    settings, stop = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=9), asyncio.Event()
    async with app.open_resources(settings, hooks) as resources:
        assert await app.wait_for_store(resources, stop)
        before = asyncio.all_tasks()

        with pytest.raises(Injected):
            await app.run(settings, resources, stop, on_serving=fail_on_serving, hooks=hooks)

        states = resources.readiness.report().tasks
        names = {task.get_name() for task in asyncio.all_tasks() - before}
    assert states
    assert set(states.values()) == {"stopped"}
    assert not names & set(states)
    assert watchdog.seconds == [app.FAILURE_DEADLINE_SECONDS + 30.0]


async def test_a_failed_start_ends_in_time(mongo_uri: str, redis_url: str) -> None:
    watchdog = FakeWatchdog()
    async with Relay() as taker:
        settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=9)
        taken = settings.model_copy(update={"http_listen": f"127.0.0.1:{taker.port}"})

        with pytest.raises(CannotListen):
            await app.serve(taken, app.ProcessHooks(watchdog=watchdog))

    assert set(watchdog.seconds) == {app.FAILURE_DEADLINE_SECONDS}


async def test_a_grpc_port_in_use_is_reported_before_any_wait_for_a_store() -> None:
    async with Relay() as taker:
        listen = f"127.0.0.1:{taker.port}"
        away = {"mongo": "mongodb://127.0.0.1:1/gcsched", "redis": "redis://127.0.0.1:1/0"}
        settings = make_settings(**away, relay_port=9).model_copy(update={"grpc_listen": listen})

        with pytest.raises(CannotListen, match=f"{listen}: another .* set GCSCHED_GRPC_LISTEN to"):
            await asyncio.wait_for(app.serve(settings, app.ProcessHooks()), 5)


async def test_a_store_failure_in_the_last_tasks_is_not_logged_as_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fails_at_its_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise StoreUnavailable("noting")

    left_behind = [asyncio.create_task(fails_at_its_end())]
    await asyncio.sleep(0)

    await cancel_all_tasks()

    left_behind.clear()
    gc.collect()
    assert [each.getMessage() for each in caplog.records if each.name == "asyncio"] == []


def test_the_end_after_a_failure_is_soon() -> None:
    assert app.FAILURE_DEADLINE_SECONDS == 15  # as docs/reliability.md says


async def test_a_pool_that_is_too_small_is_logged_once_and_mails_are_sent_anyway(
    mongo_uri: str, redis_url: str
) -> None:
    name = f"small-{uuid4().hex}"
    small = f"{redis_url}?max_connections=1&client_name={name}"
    async with Relay() as relay:
        port = relay.port
        settings = make_settings(mongo=mongo_uri, redis=small, relay_port=port, smtp_rate="2000")
        with capture_logs() as logs:
            async with running_app(settings) as service:
                await schedule_mails(service, 100)
                await until(lambda: read_jobs_if_all_sent(service.resources))
                most = connections_of(name, redis_url)

    warnings = [line for line in logs if "GCSCHED_REDIS_URL" in line["event"]]
    assert [(line["given"], line["used"]) for line in warnings] == [(1, 32)]
    assert [line for line in logs if line["log_level"] == "error"] == []
    assert not [line for line in logs if "connections" in str(line.get("error"))]
    assert 3 < most <= 2 * 32 + 32  # three pools: the given size would not have been enough
