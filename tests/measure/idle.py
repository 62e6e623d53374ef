"""Measure what a service takes while it does nothing, and how long it takes to start.

    python -m tests.measure.idle --old COMMIT [--rounds 3] [--json docs/measurements/idle.json]

Another commit and this one run in turn on the same stores, with the same interpreter. The first
start of each is not counted: it compiles the modules and creates the indexes. OLD may be a folder.
"""

import argparse
import asyncio
import json
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from importlib import metadata
from pathlib import Path
from statistics import median

import psutil

from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.scenarios.cluster import a_relay
from tests.support.ports import free_port
from tests.support.program_versions import Version, current_version, other_version
from tests.support.service_process import ServiceProcess, environment
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
        runs: dict[str, list[Figures]] = {version.name: [] for version in versions}
        for version in versions:
            await measure_once(folder, version, settings, seconds=(0.0, 0.0))
        for _ in range(options.rounds):
            for version in versions:
                seconds = (options.settle, options.watch)
                figures = await measure_once(folder, version, settings, seconds=seconds)
                print(version.name, json.dumps(figures), flush=True)
                runs[version.name].append(figures)
    return {
        version.name: {
            "commit": version.commit,
            "median": medians(runs[version.name]),
            "rounds": runs[version.name],
        }
        for version in versions
    }


async def measure_once(
    folder: Path, version: Version, settings: Mapping[str, str], *, seconds: tuple[float, float]
) -> Figures:
    """Start *version*, let it settle, watch it; *seconds* says how long each takes."""
    settle, watch = seconds
    service = ServiceProcess(
        environment={**settings, **version.environment, **COMPILED},
        log_file=folder / f"{version.name}.log",
        port=free_port(),
    )
    start = time.perf_counter()
    await service.start()
    started = time.perf_counter() - start
    try:
        process = psutil.Process(service.pid)
        start_cpu = cpu_seconds(process)
        await asyncio.sleep(settle)
        memory, cpu, switches = process.memory_full_info(), cpu_seconds(process), wakeups(process)
        await asyncio.sleep(watch)
        used, woken = cpu_seconds(process) - cpu, wakeups(process) - switches
        code = await service.stop()
        assert code == 0, service.log
    finally:
        await service.kill_if_running()
    return {
        "start_seconds": round(started, 3),
        "start_cpu_seconds": round(start_cpu, 2),
        "rss_mb": round(memory.rss / MEGABYTE, 1),
        "pss_mb": round(memory.pss / MEGABYTE, 1),
        "cpu_percent": round(100 * used / watch, 2) if watch else None,
        "loop_wakeups_per_second": round(woken / watch, 1) if watch else None,
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
    parser.add_argument("--settle", type=float, default=SETTLE_SECONDS)
    parser.add_argument("--watch", type=float, default=WATCH_SECONDS)
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
