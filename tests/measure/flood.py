"""Measure what floods do to one service: memory, the event loop, and other callers.

    python -m tests.measure.flood [FLOOD …] --json docs/measurements/flood.json

All floods go to the same process, one after the other. `peak_mb` is VmHWM, reset before each.
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
from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.scenarios.cluster import Call, Cluster, a_cluster, quantile, time_call
from tests.scenarios.floods import FLOODS, Codes, batch, memory_peak_mb, send_all
from tests.support.probes import probe_http
from tests.support.service_process import ServiceProcess, Stub, a_meet, scheduler_stub
from tests.support.wait import until

CALL_INTERVAL_SECONDS = 0.1
PROBE_INTERVAL_SECONDS = 0.05
FROZEN = "frozen_store"


@dataclass(kw_only=True)
class OtherCallers:
    """The results of a caller and of a probe beside the flood."""

    first: int
    calls: list[Call] = field(default_factory=list)
    due: dict[str, float] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)
    probe_seconds: list[float] = field(default_factory=list)


@asynccontextmanager
async def run_other_callers(service: ServiceProcess, first: int) -> AsyncIterator[OtherCallers]:
    """Schedule ten mails a second that are due now, and probe /livez, while the block lasts."""
    seen, stop = OtherCallers(first=first), asyncio.Event()

    async def call() -> None:
        async with scheduler_stub(service.target) as stub, asyncio.TaskGroup() as calls:
            number = first
            while not stop.is_set():
                request = a_meet(number, timestamp=int(time.time()))
                seen.due[request.emailID] = time.time()
                calls.create_task(record_call(stub, request))
                number += 1
                await asyncio.sleep(CALL_INTERVAL_SECONDS)

    async def record_call(stub: Stub, request: task_pb2.MeetRequest) -> None:
        call = await time_call(stub, request)
        seen.calls.append(call)
        if call.code == "OK":
            seen.accepted.add(request.emailID)

    async with probe_livez(service) as seen.probe_seconds, asyncio.TaskGroup() as tasks:
        tasks.create_task(call())
        try:
            yield seen
        finally:
            stop.set()


@asynccontextmanager
async def probe_livez(service: ServiceProcess) -> AsyncIterator[list[float]]:
    """Request /livez twenty times a second; yield the seconds that each answer took."""
    took, stop = list[float](), asyncio.Event()

    async def probe() -> None:
        async with probe_http(service.http) as http:
            while not stop.is_set():
                started = time.perf_counter()
                await http.request("/livez")
                took.append(time.perf_counter() - started)
                await asyncio.sleep(PROBE_INTERVAL_SECONDS)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(probe())
        try:
            yield took
        finally:
            stop.set()


def resident_mb(pid: int) -> float:
    return round(Process(pid).memory_info().rss / 2**20, 1)


def reset_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="utf-8")


async def read_lag_histogram(service: ServiceProcess) -> dict[float, float]:
    async with probe_http(service.http) as http:
        seen = (await http.scrape()).by("le", "gcsched_event_loop_lag_seconds_bucket")
    return {float(bound): value for bound, value in seen.items()}


def max_lag_bound(before: dict[float, float], after: dict[float, float]) -> str:
    """Return the upper bound of the largest lag between the two histograms."""
    between = {bound: after[bound] - before.get(bound, 0) for bound in sorted(after)}
    return str(next(bound for bound, seen in between.items() if seen >= max(between.values())))


async def flood_from_process(name: str, target: str) -> Codes:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.scenarios.floods", name, target),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return Codes(json.loads(output))


async def flood_frozen_store(cluster: Cluster) -> Codes:
    """MongoDB is frozen for 12 s: 5,000 single requests and 200 batches with long texts wait."""
    target = cluster.services[0].target
    cluster.mongo.freeze()
    try:
        async with asyncio.TaskGroup() as tasks:
            floods = [
                tasks.create_task(flood_from_process(name, target))
                for name in ("long_texts", "large_batches")
            ]
            await asyncio.sleep(12)
            cluster.mongo.resume()
    finally:
        cluster.mongo.resume()
    return floods[0].result() + floods[1].result()


async def measure_flood(cluster: Cluster, name: str, first: int) -> Figures:
    [service] = cluster.services
    reset_peak(service.pid)
    before, lags = resident_mb(service.pid), await read_lag_histogram(service)
    started = time.monotonic()
    async with run_other_callers(service, first) as seen:
        await asyncio.sleep(0.5)
        if name == FROZEN:
            codes = await flood_frozen_store(cluster)
        else:
            codes = await flood_from_process(name, service.target)
        await asyncio.sleep(0.5)
    took = time.monotonic() - started
    accepted = seen.accepted
    await until(lambda: cluster.arrivals().keys() >= accepted, within=30, every=0.2)
    arrived = cluster.arrivals()
    late = sorted(arrived[each][0] - seen.due[each] for each in accepted)
    seconds = sorted(call.seconds for call in seen.calls)
    return {
        "flood": (FLOODS.get(name, flood_frozen_store).__doc__ or "").strip(),
        "answers_to_the_flood": dict(codes),
        "seconds": round(took, 1),
        "rss_before_mb": before,
        "peak_mb": round(memory_peak_mb(service.pid), 1),
        "rss_after_mb": resident_mb(service.pid),
        "loop_lag_max_below_seconds": max_lag_bound(lags, await read_lag_histogram(service)),
        "livez_max_seconds": round(max(seen.probe_seconds), 3),
        "others_codes": dict(Counter(call.code for call in seen.calls)),
        "others_p50_seconds": round(quantile(seconds, 0.5), 3),
        "others_p99_seconds": round(quantile(seconds, 0.99), 3),
        "mails": len(late),
        "mails_latest_seconds": round(late[-1], 3) if late else None,
        "mails_twice": sum(len(times) > 1 for times in arrived.values()),
    }


async def store_long_jobs(cluster: Cluster) -> None:
    """Store jobs with long texts for the floods that list jobs."""
    [service] = cluster.services
    text = {"text": "x" * 15_000}
    far = int(time.time()) + 10**7
    body = batch(*(a_meet(10**6 + n, timestamp=far, variables=text) for n in range(200)))
    assert await send_all(service.target, "BatchScheduleMeets", [body]) == {"OK": 1}


async def measure(folder: Path, names: list[str]) -> Figures:
    seen: Figures = {}
    async with a_cluster(folder) as cluster:
        await store_long_jobs(cluster)
        for place, name in enumerate(names, start=1):
            seen[name] = await measure_flood(cluster, name, place * 10_000)
            print(name, json.dumps(seen[name]), flush=True)
        log = cluster.services[0].log
        seen["log"] = {"tracebacks": log.count("Traceback"), "lines": log.count("\n")}
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("floods", nargs="*", default=[*FLOODS, FROZEN])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with a_temporary_folder() as folder:
        seen = asyncio.run(measure(folder, options.floods))
    if options.json:
        command = " ".join(["python -m tests.measure.flood", *sys.argv[1:]])
        report = {"surroundings": {**run_metadata(), "command": command}, **seen}
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
