"""Measure what a service takes while it does nothing, and how long it takes to start.

    python -m tests.measure.idle --old COMMIT [--json docs/measurements/idle.json]

Another commit and this one run in turn on the same stores, with the same interpreter. The first
start of each is not counted: it compiles the modules and creates the indexes. OLD may be a folder.
"""

import argparse
import asyncio
import json
import platform
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from statistics import median

import psutil

from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.scenarios.cluster import a_relay
from tests.support.ports import free_port
from tests.support.program_versions import Version, current_version, other_version
from tests.support.service_process import environment, running_service
from tests.support.stores import own_mongod, own_valkey

COMMAND = " ".join(["python -m tests.measure.idle", *sys.argv[1:]])
SETTLE_SECONDS = 20.0
WATCH_SECONDS = 30.0
MEGABYTE = 1e6
PACKAGES = (
    *("aiohttp", "arq", "beanie", "cryptography", "grpcio", "motor", "pydantic", "pymongo"),
    *("redis", "structlog", "uvloop"),
)
# Modules are compiled once, as in the image: to compile them takes a quarter of a second.
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A version of the service and where it runs."""

    folder: Path
    version: Version
    settings: Mapping[str, str]

    @asynccontextmanager
    async def run(self) -> AsyncIterator[psutil.Process]:
        variables = {**self.settings, **self.version.environment, **COMPILED}
        async with running_service(self.folder, variables, name=self.version.name) as service:
            yield psutil.Process(service.pid)


async def measure(folder: Path, options: argparse.Namespace) -> Figures:
    versions = (await other_version(options.old, folder), await current_version())
    for version in versions:
        await version.check()
    async with AsyncExitStack() as stack:
        mongo = await stack.enter_async_context(own_mongod(folder))
        valkey = await stack.enter_async_context(own_valkey(folder))
        relay = free_port()
        await stack.enter_async_context(a_relay(folder / "ledger.jsonl", relay))
        settings = environment(mongo=mongo.uri, redis=valkey.uri, relay_port=relay)
        places = [Place(folder=folder, version=each, settings=settings) for each in versions]
        return await run_in_turn(places, options)


async def run_in_turn(places: Sequence[Place], options: argparse.Namespace) -> Figures:
    for place in places:
        await measure_start(place)
    starts: list[list[Figures]] = [[] for _ in places]
    idle: list[list[Figures]] = [[] for _ in places]
    for _ in range(options.starts):
        for place, seen in zip(places, starts, strict=True):
            seen.append(await measure_start(place))
    for _ in range(options.rounds):
        for place, seen in zip(places, idle, strict=True):
            seen.append(await measure_idle(place))
            print(place.version.name, json.dumps(seen[-1]), flush=True)
    return {
        place.version.name: {
            "commit": place.version.commit,
            "median": medians(started) | medians(watched),
            "starts": started,
            "rounds": watched,
        }
        for place, started, watched in zip(places, starts, idle, strict=True)
    }


async def measure_start(place: Place) -> Figures:
    """Start a service, and kill it as soon as its health is SERVING."""
    start = time.perf_counter()
    async with place.run() as process:
        return {
            "start_seconds": round(time.perf_counter() - start, 3),
            "start_cpu_seconds": round(cpu_seconds(process), 2),
        }


async def measure_idle(place: Place) -> Figures:
    """Start a service, let it settle, and watch it."""
    async with place.run() as process:
        await asyncio.sleep(SETTLE_SECONDS)
        memory, cpu, switches = process.memory_full_info(), cpu_seconds(process), wakeups(process)
        await asyncio.sleep(WATCH_SECONDS)
        used, woken = cpu_seconds(process) - cpu, wakeups(process) - switches
    return {
        "rss_mb": round(memory.rss / MEGABYTE, 1),
        "pss_mb": round(memory.pss / MEGABYTE, 1),
        "cpu_percent": round(100 * used / WATCH_SECONDS, 2),
        "loop_wakeups_per_second": round(woken / WATCH_SECONDS, 1),
    }


def cpu_seconds(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))


def wakeups(process: psutil.Process) -> int:
    """Return how often the main thread has waited for something."""
    return int(process.num_ctx_switches().voluntary)


def medians(rounds: Sequence[Figures]) -> Figures:
    return {name: round(median(each[name] for each in rounds), 3) for name in rounds[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old", required=True, help="a commit, or a folder with a checkout")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--starts", type=int, default=9)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with a_temporary_folder() as folder:
        measured = asyncio.run(measure(folder, options))
    print(json.dumps({name: each["median"] for name, each in measured.items()}), flush=True)
    if options.json is not None:
        surroundings = {
            **run_metadata(),
            "command": COMMAND,
            "machine": platform.machine(),
            "packages": {name: metadata.version(name) for name in PACKAGES},
        }
        report = {"surroundings": surroundings, "idle": measured}
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
