"""Floods meet a whole service: its memory stays small, and others are served meanwhile."""

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

LIMIT_MB = 512  # of deploy/kubernetes.yaml
LEFT_MB = 150  # for what a longer flood adds


@pytest.fixture
async def flooded_service(
    tmp_path: Path, mongo_uri: str, redis_url: str, relay: Relay
) -> AsyncIterator[ServiceProcess]:
    settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
    async with running_service(tmp_path, settings) as running:
        yield running


async def test_floods_fill_no_memory_and_keep_nobody_from_mail(
    served: ServiceProcess, relay: Relay
) -> None:
    async with scheduler_stub(served.target) as stub, asyncio.TaskGroup() as tasks:
        flood = tasks.create_task(send_floods(served.target))
        number, accepted = 0, 0
        while not flood.done():
            await asyncio.wait([flood], timeout=0.1)
            number += 1
            reply = await stub.ScheduleMeet(a_meet(number), timeout=10)
            accepted += reply.success

    await until(lambda: len(relay.per_recipient) == accepted)
    codes = flood.result()
    assert accepted == number
    assert memory_peak_mb(served.pid) < LIMIT_MB - LEFT_MB
    assert codes["OK"] + codes["RESOURCE_EXHAUSTED"] == 12
    assert codes["streams_ended"] >= 2_000
    assert "Traceback" not in served.log


async def send_floods(target: str) -> dict[str, int]:
    variables = await wrong_variables(target)
    unread = await no_message(target, per_connection=200)
    await resets(target, per_connection=300)  # more than 4,000 at once fill gRPC's own queue
    return dict(variables + unread)
