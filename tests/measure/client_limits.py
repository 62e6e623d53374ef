"""Measure what the limits of clients admit at two processes at once, and what they cost.

    python -m tests.measure.client_limits [--seconds 10] [--json FILE]

Two services with one clients file. Each case has a client of its own; its calls go to both services
in turn, all at once. The jobs are due tomorrow, so that nothing is delivered meanwhile. What was
admitted is counted in MongoDB. Prints figures; checks nothing.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Any

import grpc
import psutil
from pymongo import MongoClient

from gcsched.pb import task_pb2
from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.scenarios.cluster import Cluster, a_cluster, quantile
from tests.support.clients import TestToken, client_toml, write_clients
from tests.support.service_process import Stub, a_meet, scheduler_stub
from tests.support.status_details import error_reason, status_of

CALLS = 1_000
LIMITS = {
    "day": "jobs_per_day = 100",
    "waiting": "jobs_waiting = 100",
    "rate": "calls_per_second = 50, burst = 100",
    "counted": "jobs_per_day = 1000000, jobs_waiting = 1000000",
    "rated": "calls_per_second = 1000000",
    "unlimited": "",
}
COST_CLIENTS = ("unlimited", "rated", "counted")
ROUNDS = 5
COST_CALLS, COST_CONCURRENCY = 600, 32
TIMEOUT_SECONDS = 60.0
Outcome = str
TOKENS = {name: TestToken(id=f"{name:0<8}"[:8]) for name in LIMITS}


def write_clients_file(folder: Path) -> Path:
    lines = {name: f"limits = {{ {limits} }}" for name, limits in LIMITS.items()}
    clients = [
        client_toml(name, ["schedule"], token, lines=[lines[name]])
        for name, token in TOKENS.items()
    ]
    return write_clients(folder / "clients.toml", *clients)


async def schedule(stub: Stub, client: str, request: task_pb2.MeetRequest) -> Outcome:
    """Return the outcome of a call, or the limit or the code that refused it."""
    call: Any = stub.ScheduleMeet
    try:
        reply = await call(request, metadata=TOKENS[client].bearer, timeout=TIMEOUT_SECONDS)
    except grpc.aio.AioRpcError as error:
        if not error.trailing_metadata():
            return error.code().name
        reason, metadata = error_reason(status_of(error))
        return metadata.get("limit", reason)
    return task_pb2.MeetResponse.Outcome.Name(reply.outcome)


async def schedule_all(
    stubs: Sequence[Stub], client: str, requests: Sequence[task_pb2.MeetRequest]
) -> Counter[Outcome]:
    calls = [
        schedule(stubs[number % len(stubs)], client, each) for number, each in enumerate(requests)
    ]
    return Counter(await asyncio.gather(*calls))


async def schedule_for(
    stubs: Sequence[Stub], client: str, seconds: float, first: int
) -> Counter[Outcome]:
    """Keep 20 calls of *client* at each service for *seconds*."""
    end, counted, numbers = (
        time.monotonic() + seconds,
        Counter[Outcome](),
        iter(range(first, 10**9)),
    )

    async def call_in_turn(stub: Stub) -> None:
        while time.monotonic() < end:
            counted[await schedule(stub, client, some_meet(next(numbers)))] += 1
            await asyncio.sleep(0.01)

    await asyncio.gather(*[call_in_turn(stub) for stub in stubs for _ in range(20)])
    return counted


def some_meet(number: int) -> task_pb2.MeetRequest:
    return a_meet(number, timestamp=int(time.time()) // 86_400 * 86_400 + 2 * 86_400)


def count_jobs(cluster: Cluster, client: str) -> int:
    with MongoClient[dict[str, Any]](cluster.mongo.uri) as mongo:
        return mongo.get_default_database()["jobs"].count_documents({"client": client})


def read_usage(cluster: Cluster, client: str) -> list[int]:
    with MongoClient[dict[str, Any]](cluster.mongo.uri) as mongo:
        found = mongo.get_default_database()["usage"].find({"_id": {"$regex": f"^{client}:"}})
        return [each["jobs"] for each in found]


async def measure_jobs(cluster: Cluster, stubs: Sequence[Stub], client: str, first: int) -> Figures:
    """CALLS different requests at once, then the same ones again, then a batch of them."""
    requests = [some_meet(first + number) for number in range(CALLS)]
    counted = await schedule_all(stubs, client, requests)
    again = await schedule_all(stubs, client, requests)
    call: Any = stubs[0].BatchScheduleMeets
    batch = task_pb2.BatchScheduleMeetsRequest(requests=requests)
    reply = await call(batch, metadata=TOKENS[client].bearer, timeout=TIMEOUT_SECONDS)
    answers = Counter(str(each.WhichOneof("answer")) for each in reply.answers)
    return {
        "calls_at_once": CALLS,
        "answers": dict(counted),
        "the_same_again": dict(again),
        "the_same_as_a_batch": dict(answers),
        "jobs_stored": count_jobs(cluster, client),
        "usage": read_usage(cluster, client),
    }


async def measure_rate(stubs: Sequence[Stub], seconds: float, first: int) -> Figures:
    """Both services are called as fast as 40 callers can, for some time; then one alone."""
    both = await schedule_for(stubs, "rate", seconds, first)
    await asyncio.sleep(2.5)  # the bucket is full again
    one = await schedule_for(stubs[:1], "rate", seconds, first + 10**6)
    return {
        "seconds": seconds,
        "both_services": dict(both),
        "one_service": dict(one),
        "rate_and_burst_allow": round(50 * seconds + 100),
    }


async def measure_cost(cluster: Cluster, stubs: Sequence[Stub], first: int) -> Figures:
    """The same calls by clients with other limits, in turn: CPU time and latency."""
    process, found = psutil.Process(cluster.services[0].pid), dict[str, list[Figures]]()
    for _ in range(ROUNDS):
        for client in COST_CLIENTS:
            found.setdefault(client, []).append(await time_calls(process, stubs[0], client, first))
            first += 2 * COST_CALLS
    return {
        client: {key: median(each[key] for each in rounds) for key in rounds[0]}
        for client, rounds in found.items()
    }


async def time_calls(process: psutil.Process, stub: Stub, client: str, first: int) -> Figures:
    numbers = iter(range(first, first + COST_CALLS))
    seconds: list[float] = []

    async def call_in_turn() -> None:
        for number in numbers:
            start = time.perf_counter()
            await schedule(stub, client, some_meet(number))
            seconds.append(time.perf_counter() - start)

    before, start = sum(process.cpu_times()[:2]), time.perf_counter()
    await asyncio.gather(*[call_in_turn() for _ in range(COST_CONCURRENCY)])
    took, cpu = time.perf_counter() - start, sum(process.cpu_times()[:2]) - before
    alone = []
    for number in range(first + COST_CALLS, first + COST_CALLS + 50):
        start = time.perf_counter()
        await schedule(stub, client, some_meet(number))
        alone.append(time.perf_counter() - start)
    return {
        "calls_per_second": round(COST_CALLS / took),
        "cpu_us_per_call": round(cpu / COST_CALLS * 1e6),
        "p50_ms": round(quantile(sorted(seconds), 0.5) * 1e3, 1),
        "alone_ms": round(median(alone) * 1e3, 2),
    }


async def measure(folder: Path, seconds: float) -> Figures:
    clients_file = str(write_clients_file(folder))
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(
            a_cluster(folder, services=2, clients_file=clients_file)
        )
        stubs = [
            await stack.enter_async_context(scheduler_stub(each.target))
            for each in cluster.services
        ]
        return {
            "jobs_per_day": await measure_jobs(cluster, stubs, "day", 0),
            "jobs_waiting": await measure_jobs(cluster, stubs, "waiting", 10**6),
            "calls_per_second": await measure_rate(stubs, seconds, 2 * 10**6),
            "cost": await measure_cost(cluster, stubs, 5 * 10**6),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with a_temporary_folder() as folder:
        measured = asyncio.run(measure(folder, options.seconds))
    print(json.dumps(measured, indent=1), flush=True)
    if options.json:
        text = json.dumps({"surroundings": run_metadata(), "client_limits": measured}, indent=1)
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
