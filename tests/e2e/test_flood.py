"""A service under floods of calls: its memory stays small, and other callers are served."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.scenarios.floods import memory_peak_mb, no_message, resets, wrong_variables
from tests.support.relay.server import Relay
from tests.support.service_process import (
    ServiceProcess,
    a_meet,
    environment,
    running_service,
    scheduler_stub,
)
from tests.support.wait import until

LIMIT_MB = 512  # the memory limit in deploy/kubernetes.yaml
RESERVE_MB = 150  # a longer flood may add this much


@pytest.fixture
async def service(
    tmp_path: Path, mongo_uri: str, redis_url: str, relay: Relay
) -> AsyncIterator[ServiceProcess]:
    settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
    async with running_service(tmp_path, settings) as running:
        yield running


async def test_under_floods_memory_stays_small_and_other_callers_are_served(
    service: ServiceProcess, relay: Relay
) -> None:
    async with scheduler_stub(service.target) as stub, asyncio.TaskGroup() as tasks:
        flood = tasks.create_task(send_floods(service.target))
        number, accepted = 0, 0
        while not flood.done():
            await asyncio.wait([flood], timeout=0.1)
            number += 1
            reply = await stub.ScheduleMeet(a_meet(number), timeout=10)
            accepted += reply.success

    await until(lambda: len(relay.per_recipient) == accepted)
    codes = flood.result()
    assert accepted == number
    assert memory_peak_mb(service.pid) < LIMIT_MB - RESERVE_MB
    assert codes["OK"] + codes["RESOURCE_EXHAUSTED"] == 12
    assert codes["streams_ended"] >= 2_000
    assert "Traceback" not in service.log


async def send_floods(target: str) -> dict[str, int]:
    variables = await wrong_variables(target)
    unread = await no_message(target, per_connection=200)
    await resets(target, per_connection=300)  # more than 4,000 at once would fill gRPC's own queue
    return dict(variables + unread)
