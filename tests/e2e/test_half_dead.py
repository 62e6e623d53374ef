"""A part that ends takes its process with it, and the mails go on at the others."""

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
    folder: Path, settings: dict[str, str], begin: Launch
) -> AsyncIterator[ServiceProcess]:
    victim = ServiceProcess(
        environment=settings, log_file=folder / "victim.log", port=free_port(), launcher=begin
    )
    try:
        await victim.start()
        yield victim
    finally:
        await victim.kill_if_running()


async def ask(stub: Stub, first: int, count: int) -> None:
    soon = int(time.time()) + 1
    requests = [a_meet(number, timestamp=soon) for number in range(first, first + count)]
    await asyncio.gather(*(stub.ScheduleMeet(request, timeout=5) for request in requests))


def critical_events(log: str) -> list[dict[str, object]]:
    return [
        event for line in log.splitlines() if (event := parse_line(line))["level"] == "critical"
    ]


def parse_line(line: str) -> dict[str, object]:
    """Parse one line; the last one is for people: what `main` says of the error."""
    return dict(json.loads(line)) if line.startswith("{") else {"level": "plain"}


@pytest.mark.parametrize(
    ("part", "how"),
    [("marks", "raises"), ("arq workers", "returns"), ("engine", "is cancelled")],
)
async def test_the_process_ends_and_the_other_replica_sends_on(
    part: str, how: str, tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    async with Relay() as relay:
        settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        begin = fork_with_failure(part, how)
        async with (
            running_service(tmp_path, settings) as healthy,
            a_victim(tmp_path, settings, begin) as victim,
            scheduler_stub(healthy.target) as stub,
            scheduler_stub(victim.target) as stub_of_victim,
        ):
            await asyncio.gather(ask(stub, 0, MAILS), ask(stub_of_victim, MAILS, MAILS))
            await until(lambda: relay.ledger)

            told_at = time.monotonic()
            victim.signal(signal.SIGUSR1)
            code = await victim.wait_for_exit(within=20)
            seconds = time.monotonic() - told_at
            await ask(stub, 2 * MAILS, MAILS)
            # What the victim had claimed and could not give back waits for the end of its lease.
            await until(lambda: len(relay.per_recipient) == 3 * MAILS, within=60)

    (event,) = critical_events(victim.log)
    assert code == 1
    assert seconds < 12
    assert (event["event"], event["part"]) == ("part ended", part)
    assert f"the part '{part}' of the service ended" in victim.log.splitlines()[-1]
    assert {len(kept) for kept in relay.per_recipient.values()} == {1}


@pytest.mark.parametrize("how", ["leaves a deaf task", "holds the loop"])
async def test_what_cannot_end_in_order_is_ended_hard(
    how: str, tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=9)
    begin = fork_with_failure("census", how, hard_end_seconds=3)
    async with a_victim(tmp_path, settings, begin) as victim:
        victim.signal(signal.SIGUSR1)
        code = await victim.wait_for_exit(within=15)

    assert code == 1
    assert [event["event"] for event in critical_events(victim.log)] == [
        "part ended",
        "process ended hard",
    ]


async def test_outcomes_are_written_before_the_hard_end_though_a_relay_is_silent(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    async with Relay() as relay:
        relay.script(At.BODY, Hang())
        settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        begin = fork_with_failure("sweep", "raises")
        async with (
            a_victim(tmp_path, settings, begin) as victim,
            scheduler_stub(victim.target) as stub,
        ):
            await ask(stub, 0, 5)
            await until(lambda: len(relay.bodies) == 5)

            told_at = time.monotonic()
            victim.signal(signal.SIGUSR1)
            code = await victim.wait_for_exit(within=30)
            seconds = time.monotonic() - told_at

    with MongoClient[dict[str, Any]](mongo_uri) as client:
        found = list(client.get_default_database()["jobs"].find())
    assert code == 1
    assert [event["event"] for event in critical_events(victim.log)] == ["part ended"]
    assert [(job["state"], len(job["attempts"])) for job in found] == [("RETRYING", 1)] * 5
    assert seconds < 7.5  # mails have three


async def test_the_probes_name_the_part_that_ended(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=9)
    begin = fork_with_failure("sweep", "raises")
    async with (
        a_victim(tmp_path, settings, begin) as victim,
        probe_http(victim.http) as look,
    ):
        before = await look.get_readiness()
        victim.signal(signal.SIGUSR1)

        async def has_failed() -> bool:
            return (await look.request("/livez"))[0] == 503

        await until(has_failed, every=0.005)
        alive, ready = await look.request("/livez"), await look.get_readiness()

    assert set(before[1]["parts"].values()) == {"running"}
    assert {"engine", "crew", "marks", "recorder", "sweep"} <= set(before[1]["parts"])
    assert alive == (503, "part sweep ended: Injected\n")
    assert (ready[0], ready[1]["status"]) == (503, "failed")
    assert ready[1]["reason"] == "part sweep ended: Injected"
    assert ready[1]["parts"]["sweep"] == "ended: Injected"
