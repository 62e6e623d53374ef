"""Measure what floods do to one service: memory, the event loop, and other callers.

    python -m tests.measure.flood [FLOOD …] --json docs/measurements/flood.json

All floods come in turn, to the same process. `peak_mb` is VmHWM, begun anew for each flood.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from psutil import Process

from gcsched.pb import task_pb2
from tests.measure.spine import Figures, a_folder, surroundings
from tests.scenarios.cluster import Call, Stage, a_stage, quantile, timed
from tests.scenarios.floods import FLOODS, Codes, batch, memory_peak_mb, sent
from tests.support.probes import looking_at
from tests.support.service import ServiceProcess, Stub, a_meet, scheduler
from tests.support.wait import until

BETWEEN_CALLS_SECONDS = 0.1
BETWEEN_LOOKS_SECONDS = 0.05
FROZEN = "frozen_store"


@dataclass(kw_only=True)
class Others:
    """What a caller and a probe beside the flood see."""

    first: int
    calls: list[Call] = field(default_factory=list)
    due: dict[str, float] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)
    looks: list[float] = field(default_factory=list)


@asynccontextmanager
async def others(service: ServiceProcess, first: int) -> AsyncIterator[Others]:
    """Ask ten times a second for a mail that is due now, and look beside it."""
    seen, stop = Others(first=first), asyncio.Event()

    async def call() -> None:
        async with scheduler(service.target) as stub, asyncio.TaskGroup() as calls:
            number = first
            while not stop.is_set():
                request = a_meet(number, timestamp=int(time.time()))
                seen.due[request.emailID] = time.time()
                calls.create_task(kept(stub, request))
                number += 1
                await asyncio.sleep(BETWEEN_CALLS_SECONDS)

    async def kept(stub: Stub, request: task_pb2.MeetRequest) -> None:
        call = await timed(stub, request)
        seen.calls.append(call)
        if call.code == "OK":
            seen.accepted.add(request.emailID)

    async with looks(service) as seen.looks, asyncio.TaskGroup() as tasks:
        tasks.create_task(call())
        try:
            yield seen
        finally:
            stop.set()


@asynccontextmanager
async def looks(service: ServiceProcess) -> AsyncIterator[list[float]]:
    """Ask for /livez twenty times a second; give how many seconds each answer took."""
    took, stop = list[float](), asyncio.Event()

    async def look() -> None:
        async with looking_at(service.http) as looker:
            while not stop.is_set():
                begun = time.perf_counter()
                await looker.ask("/livez")
                took.append(time.perf_counter() - begun)
                await asyncio.sleep(BETWEEN_LOOKS_SECONDS)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(look())
        try:
            yield took
        finally:
            stop.set()


def resident_mb(pid: int) -> float:
    return round(Process(pid).memory_info().rss / 2**20, 1)


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="utf-8")


async def lag(service: ServiceProcess) -> dict[float, float]:
    async with looking_at(service.http) as looker:
        seen = (await looker.scrape()).by("le", "gcsched_event_loop_lag_seconds_bucket")
    return {float(bound): value for bound, value in seen.items()}


def longest(before: dict[float, float], after: dict[float, float]) -> str:
    """Return the upper bound of the largest lag that came between."""
    between = {bound: after[bound] - before.get(bound, 0) for bound in sorted(after)}
    return str(next(bound for bound, seen in between.items() if seen >= max(between.values())))


async def sent_by_a_process(name: str, target: str) -> Codes:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.scenarios.floods", name, target),
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    return Codes(json.loads(told))


async def frozen_store(stage: Stage) -> Codes:
    """MongoDB stands still for 12 s: 5,000 single requests and 200 batches with long texts wait."""
    target = stage.services[0].target
    stage.mongo.stop_signal()
    try:
        async with asyncio.TaskGroup() as tasks:
            floods = [
                tasks.create_task(sent_by_a_process(name, target))
                for name in ("long_texts", "large_batches")
            ]
            await asyncio.sleep(12)
            stage.mongo.cont()
    finally:
        stage.mongo.cont()
    return floods[0].result() + floods[1].result()


async def flooded(stage: Stage, name: str, first: int) -> Figures:
    [service] = stage.services
    forget_peak(service.pid)
    before, lags, begun = resident_mb(service.pid), await lag(service), time.monotonic()
    async with others(service, first) as seen:
        await asyncio.sleep(0.5)
        known = name in FLOODS
        codes = await (sent_by_a_process(name, service.target) if known else frozen_store(stage))
        await asyncio.sleep(0.5)
    took = time.monotonic() - begun
    asked = seen.accepted
    await until(lambda: stage.arrivals().keys() >= asked, within=30, every=0.2)
    arrived = stage.arrivals()
    late = sorted(arrived[each][0] - seen.due[each] for each in asked)
    seconds = sorted(call.seconds for call in seen.calls)
    return {
        "flood": (FLOODS.get(name, frozen_store).__doc__ or "").strip(),
        "answers_to_the_flood": dict(codes),
        "seconds": round(took, 1),
        "rss_before_mb": before,
        "peak_mb": round(memory_peak_mb(service.pid), 1),
        "rss_after_mb": resident_mb(service.pid),
        "loop_lag_max_below_seconds": longest(lags, await lag(service)),
        "livez_max_seconds": round(max(seen.looks), 3),
        "others_codes": dict(Counter(call.code for call in seen.calls)),
        "others_p50_seconds": round(quantile(seconds, 0.5), 3),
        "others_p99_seconds": round(quantile(seconds, 0.99), 3),
        "mails": len(late),
        "mails_latest_seconds": round(late[-1], 3) if late else None,
        "mails_twice": sum(len(times) > 1 for times in arrived.values()),
    }


async def filled(stage: Stage) -> None:
    """Store jobs with long texts, so that there is something to list."""
    [service] = stage.services
    text = {"text": "x" * 15_000}
    far = int(time.time()) + 10**7
    body = batch(*(a_meet(10**6 + n, timestamp=far, variables=text) for n in range(200)))
    assert await sent(service.target, "BatchScheduleMeets", [body]) == {"OK": 1}


async def measure(folder: Path, names: list[str]) -> Figures:
    seen: Figures = {}
    async with a_stage(folder) as stage:
        await filled(stage)
        for place, name in enumerate(names, start=1):
            seen[name] = await flooded(stage, name, place * 10_000)
            print(name, json.dumps(seen[name]), flush=True)
        log = stage.services[0].log
        seen["log"] = {"tracebacks": log.count("Traceback"), "lines": log.count("\n")}
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("floods", nargs="*", default=[*FLOODS, FROZEN])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with a_folder() as folder:
        seen = asyncio.run(measure(folder, options.floods))
    if options.json:
        command = " ".join(["python -m tests.measure.flood", *sys.argv[1:]])
        told = {"surroundings": {**surroundings(), "command": command}, **seen}
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
