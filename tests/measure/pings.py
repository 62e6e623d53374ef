"""Keep channels that ping every ten seconds open for three minutes, and record disconnections.

    python -m tests.measure.pings [--seconds 180] [--json docs/measurements/pings.json]

Prints the state changes of each channel and checks nothing.
"""

import argparse
import asyncio
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gcsched.client import service_config
from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.scenarios.cluster import a_cluster

PING_MS = 10_000
Options = list[tuple[str, Any]]
PINGING: Options = [
    ("grpc.keepalive_time_ms", PING_MS),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.use_local_subchannel_pool", 1),
]
WITHOUT_CALLS: Options = [("grpc.keepalive_permit_without_calls", 1)]
CLIENTS: dict[str, Options] = {
    "without a call": [*PINGING, *WITHOUT_CALLS],
    "watching health": PINGING,
    "with the published service config": [
        *PINGING,
        *WITHOUT_CALLS,
        ("grpc.service_config", service_config().read_text(encoding="utf-8")),
    ],
}


async def measure(folder: Path, seconds: float) -> Figures:
    async with a_cluster(folder, services=1) as cluster, asyncio.TaskGroup() as tasks:
        target = cluster.services[0].target
        states = {
            name: tasks.create_task(
                record_states(target, options, seconds, watches=name == "watching health")
            )
            for name, options in CLIENTS.items()
        }
    return {name: task.result() for name, task in states.items()}


async def record_states(target: str, options: Options, seconds: float, *, watches: bool) -> Figures:
    """Keep a channel open for *seconds*; return its state changes, each with its time."""
    started, seen = time.monotonic(), []
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        await asyncio.wait_for(channel.channel_ready(), 10)
        watching = asyncio.create_task(watch(channel)) if watches else None
        state = channel.get_state()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    await channel.wait_for_state_change(state)
                    state = channel.get_state(try_to_connect=True)
                    seen.append([round(time.monotonic() - started, 1), state.name])
        if watching is not None:
            watching.cancel()
    return {"seconds": seconds, "ping_every_ms": PING_MS, "state_changes": seen}


async def watch(channel: grpc.aio.Channel) -> None:
    watched = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
    async for _ in watched:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with a_temporary_folder() as folder:
        measured = asyncio.run(measure(folder, options.seconds))
    print(json.dumps(measured), flush=True)
    if options.json:
        command = f"python -m tests.measure.pings --json {options.json}"
        where = {**run_metadata(), "command": command}
        text = json.dumps({"surroundings": where, "pings": measured}, indent=1)
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
