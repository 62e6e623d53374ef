"""A background task that ends takes its process with it; other replicas send its mails."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from tests.support.launch import Launch
from tests.support.ports import free_port
from tests.support.probes import probe_http
from tests.support.relay.script import At, Hang
from tests.support.relay.server import Relay
from tests.support.service_process import (
    ServiceProcess,
    Stub,
    a_meet,
    environment,
    running_service,
    scheduler_stub,
)
from tests.support.service_with_failing_task import fork_with_failure
from tests.support.wait import until

MAILS = 40


@asynccontextmanager
async def a_victim(
    folder: Path, settings: dict[str, str], launcher: Launch
) -> AsyncIterator[ServiceProcess]:
    victim = ServiceProcess(
        environment=settings, log_file=folder / "victim.log", port=free_port(), launcher=launcher
    )
    try:
        await victim.start()
        yield victim
    finally:
        await victim.kill_if_running()


async def schedule(stub: Stub, first: int, count: int) -> None:
    soon = int(time.time()) + 1
    requests = [a_meet(number, timestamp=soon) for number in range(first, first + count)]
    await asyncio.gather(*(stub.ScheduleMeet(request, timeout=5) for request in requests))


def critical_events(log: str) -> list[dict[str, object]]:
    return [
        event for line in log.splitlines() if (event := parse_line(line))["level"] == "critical"
    ]


def parse_line(line: str) -> dict[str, object]:
    """Parse one line; the last one is not JSON: `main` writes its error for people."""
    return dict(json.loads(line)) if line.startswith("{") else {"level": "plain"}


@pytest.mark.parametrize(
    ("task", "how"),
    [("sent markers", "raises"), ("arq workers", "returns"), ("engine", "is cancelled")],
)
async def test_the_process_ends_and_the_other_replica_goes_on_sending(
    task: str, how: str, tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    async with Relay() as relay:
        settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        launcher = fork_with_failure(task, how)
        async with (
            running_service(tmp_path, settings) as healthy,
            a_victim(tmp_path, settings, launcher) as victim,
            scheduler_stub(healthy.target) as stub,
            scheduler_stub(victim.target) as stub_of_victim,
        ):
            await asyncio.gather(schedule(stub, 0, MAILS), schedule(stub_of_victim, MAILS, MAILS))
            await until(lambda: relay.ledger)

            signalled_at = time.monotonic()
            victim.signal(signal.SIGUSR1)
            code = await victim.wait_for_exit(within=20)
            seconds = time.monotonic() - signalled_at
            await schedule(stub, 2 * MAILS, MAILS)
            # Jobs that the victim claimed and could not release wait until its leases expire.
            await until(lambda: len(relay.per_recipient) == 3 * MAILS, within=60)

    (event,) = critical_events(victim.log)
    assert code == 1
    assert seconds < 12
    assert (event["event"], event["task"]) == ("background task ended", task)
    assert f"background task '{task}' ended" in victim.log.splitlines()[-1]
    assert {len(kept) for kept in relay.per_recipient.values()} == {1}


@pytest.mark.parametrize("how", ["leaks a task", "blocks the loop"])
async def test_a_process_that_cannot_end_in_order_is_aborted(
    how: str, tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=9)
    launcher = fork_with_failure("job counts", how, deadline_seconds=3)
    async with a_victim(tmp_path, settings, launcher) as victim:
        victim.signal(signal.SIGUSR1)
        code = await victim.wait_for_exit(within=15)

    assert code == 1
    assert [event["event"] for event in critical_events(victim.log)] == [
        "background task ended",
        "process aborted",
    ]


async def test_outcomes_are_written_before_the_abort_although_a_relay_is_silent(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    async with Relay() as relay:
        relay.script(At.BODY, Hang())
        settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        launcher = fork_with_failure("sweep", "raises")
        async with (
            a_victim(tmp_path, settings, launcher) as victim,
            scheduler_stub(victim.target) as stub,
        ):
            await schedule(stub, 0, 5)
            await until(lambda: len(relay.bodies) == 5)

            signalled_at = time.monotonic()
            victim.signal(signal.SIGUSR1)
            code = await victim.wait_for_exit(within=30)
            seconds = time.monotonic() - signalled_at

    with MongoClient[dict[str, Any]](mongo_uri) as client:
        found = list(client.get_default_database()["jobs"].find())
    assert code == 1
    assert [each["event"] for each in critical_events(victim.log)] == ["background task ended"]
    assert [(job["state"], len(job["attempts"])) for job in found] == [("RETRYING", 1)] * 5
    assert seconds < 7.5  # attempts get three of these: FAILURE_GRACE in app.py


async def test_the_probes_name_the_task_that_ended(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=9)
    launcher = fork_with_failure("sweep", "raises")
    async with (
        a_victim(tmp_path, settings, launcher) as victim,
        probe_http(victim.http) as probe,
    ):
        before = await probe.get_readiness()
        victim.signal(signal.SIGUSR1)

        async def has_failed() -> bool:
            return (await probe.request("/livez"))[0] == 503

        await until(has_failed, every=0.005)
        alive, ready = await probe.request("/livez"), await probe.get_readiness()

    assert set(before[1]["tasks"].values()) == {"running"}
    expected = {"engine", "workers", "sent markers", "outcome recorder", "sweep"}
    assert expected <= set(before[1]["tasks"])
    assert alive == (503, "background task sweep ended: Injected\n")
    assert (ready[0], ready[1]["status"]) == (503, "failed")
    assert ready[1]["reason"] == "background task sweep ended: Injected"
    assert ready[1]["tasks"]["sweep"] == "ended: Injected"
