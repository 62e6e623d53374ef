"""Measure how many jobs a second one process accepts, in batches and in single calls.

    python -m tests.measure.batch [--jobs 50000] [--json docs/measurements/batch.json]

The jobs are due tomorrow, so that nothing is delivered meanwhile. Prints figures; checks nothing.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from gcsched.pb import task_pb2
from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.measure.load import call_all
from tests.scenarios.cluster import Cluster, a_cluster
from tests.support.service_process import a_meet

BATCH = 500
SINGLE_CALLS = 5_000
CONCURRENCY = {"BatchScheduleMeets": 4, "ScheduleMeet": 64}


async def measure(folder: Path, jobs: int) -> Figures:
    tomorrow = int(time.time()) + 86_400
    meets = [a_meet(number, timestamp=tomorrow) for number in range(jobs + SINGLE_CALLS)]
    batches = [
        task_pb2.BatchScheduleMeetsRequest(requests=meets[first : first + BATCH])
        for first in range(0, jobs, BATCH)
    ]
    singles = [each.SerializeToString() for each in meets[jobs:]]
    async with a_cluster(folder) as cluster:
        return {
            "batches": await measure_calls(
                cluster, "BatchScheduleMeets", [each.SerializeToString() for each in batches], BATCH
            ),
            "single_calls": await measure_calls(cluster, "ScheduleMeet", singles, 1),
        }


async def measure_calls(
    cluster: Cluster, method: str, requests: Sequence[bytes], jobs_each: int
) -> Figures:
    """Send *requests*, CONCURRENCY at a time; the stored jobs are counted in MongoDB."""
    [service] = cluster.services
    process = psutil.Process(service.pid)
    before = len(cluster.jobs())
    started, cpu = time.perf_counter(), sum(process.cpu_times()[:2])
    took = await call_all(service.target, method, requests, at_once=CONCURRENCY[method])
    seconds, cpu = time.perf_counter() - started, sum(process.cpu_times()[:2]) - cpu
    stored = len(cluster.jobs()) - before
    return {
        "calls": len(requests),
        "jobs_stored": stored,
        "jobs_per_second": round(stored / seconds),
        "cpu_us_per_job": round(cpu / stored * 1e6, 1),
        "call_ms_median": round(took[len(took) // 2] * 1000, 1),
        "jobs_per_call": jobs_each,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=50_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with a_temporary_folder() as folder:
        measured = asyncio.run(measure(folder, options.jobs))
    print(json.dumps(measured), flush=True)
    if options.json:
        text = json.dumps({"surroundings": run_metadata(), "batch": measured}, indent=1)
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
