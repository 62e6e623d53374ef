"""A cluster: its own stores, a relay with a ledger, and a number of services."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from pymongo import MongoClient
from redis.asyncio import Redis

from gcsched.pb import task_pb2
from tests.support.ports import free_port
from tests.support.relay.server import relay_command
from tests.support.service_process import (
    ServiceProcess,
    Stub,
    environment,
    running_service,
    scheduler_stub,
)
from tests.support.stores import OwnServer, own_mongod, own_valkey

ROOT = Path(__file__).resolve().parents[2]
CALL_TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call as its caller saw it: its seconds, and its job id or its status code."""

    seconds: float
    job_id: str = ""
    code: str = "OK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    folder: Path
    mongo: OwnServer
    valkey: OwnServer
    relay_port: int
    ledger: Path
    services: list[ServiceProcess] = field(default_factory=list)

    def arrivals(self) -> dict[str, list[float]]:
        """Read the ledger: recipient → times of arrival."""
        times: dict[str, list[float]] = defaultdict(list)
        for entry in self.ledger_entries():
            times[entry["recipient"]].append(entry["time"])
        return dict(times)

    def count_recipients(self) -> int:
        """Count the recipients that have a mail."""
        return len({entry["recipient"] for entry in self.ledger_entries()})

    def count_mails(self) -> int:
        """Count the mails without reading them."""
        return self.ledger.read_bytes().count(b"\n") if self.ledger.exists() else 0

    def ledger_entries(self) -> list[dict[str, Any]]:
        return read_json_lines(self.ledger)

    def jobs(self) -> list[dict[str, Any]]:
        """Read every job from MongoDB."""
        with MongoClient[dict[str, Any]](self.mongo.uri, tz_aware=True) as client:
            return list(client.get_default_database()["jobs"].find())

    def uncertain_recipients(self) -> set[str]:
        """Return the recipients of jobs that were UNCERTAIN at some time."""
        return {
            job["email"]
            for job in self.jobs()
            if job["state"] == "UNCERTAIN"
            or any(attempt["kind"] == "UNCERTAIN" for attempt in job["attempts"])
        }

    async def flush_redis(self) -> None:
        async with Redis.from_url(self.valkey.uri) as redis:
            await redis.flushall()

    async def call(
        self, requests: Iterable[task_pb2.MeetRequest], *, per_second: float | None = None
    ) -> list[Call]:
        """Send *requests* to the services in turn, all at once or evenly *per_second*."""
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
            stubs = [
                await stack.enter_async_context(scheduler_stub(each.target))
                for each in self.services
            ]
            start, calls = time.monotonic(), []
            for number, request in enumerate(requests):
                if per_second is not None:
                    await asyncio.sleep(max(0.0, start + number / per_second - time.monotonic()))
                stub = stubs[number % len(stubs)]
                calls.append(tasks.create_task(time_call(stub, request)))
            return [await each for each in calls]


def read_json_lines(file: Path) -> list[dict[str, Any]]:
    """Read the lines that a relay has written to *file* so far."""
    written = file.read_bytes() if file.exists() else b""
    *whole, _ = written.split(b"\n")  # the last line may be incomplete
    return [json.loads(line) for line in whole]


async def time_call(stub: Stub, request: task_pb2.MeetRequest) -> Call:
    start = time.perf_counter()
    try:
        reply = await stub.ScheduleMeet(request, timeout=CALL_TIMEOUT_SECONDS)
    except grpc.aio.AioRpcError as error:
        return Call(seconds=time.perf_counter() - start, code=error.code().name)
    return Call(seconds=time.perf_counter() - start, job_id=reply.job_id)


@asynccontextmanager
async def a_cluster(
    folder: Path, *, services: int = 1, relay: Sequence[str] = (), **settings: str
) -> AsyncIterator[Cluster]:
    """Start the cluster on free ports; stop it when the block ends."""
    async with AsyncExitStack() as stack:
        mongo = await stack.enter_async_context(own_mongod(folder))
        valkey = await stack.enter_async_context(own_valkey(folder))
        ledger, port = folder / "ledger.jsonl", free_port()
        await stack.enter_async_context(a_relay(ledger, port, relay))
        cluster = Cluster(folder=folder, mongo=mongo, valkey=valkey, relay_port=port, ledger=ledger)
        variables = environment(mongo=mongo.uri, redis=valkey.uri, relay_port=port, **settings)
        for number in range(services):
            running = running_service(folder, variables, name=f"service-{number}")
            cluster.services.append(await stack.enter_async_context(running))
        yield cluster


@asynccontextmanager
async def a_relay(ledger: Path, port: int, others: Sequence[str] = ()) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *relay_command(port=port, ledger=ledger, others=others),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        await process.stdout.readline()
        yield
    finally:
        process.kill()
        await process.wait()


def lateness(arrivals: dict[str, list[float]]) -> list[float]:
    """Return the seconds by which each first arrival was late; recipients are ``number-due@…``."""
    return sorted(
        times[0] - float(recipient.partition("@")[0].rpartition("-")[2])
        for recipient, times in arrivals.items()
    )


def quantile(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]
