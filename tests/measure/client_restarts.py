"""Restart services in turn under 1,000 asyncio calls and 8 threads: lost calls, and what stays.

    python -m tests.measure.client_restarts [--rounds 5] [--json
        docs/measurements/client_restarts.json]

Three services on the same stores have one target. One AsyncClient has 1,000 calls under way all the
time, one Client eight, each from a thread of its own; each call schedules a mail for an employee of
its own. A round stops each service in order and starts it again; in the second phase they are
killed. `problems` lists calls that failed, answers that no job in MongoDB confirms, jobs that exist
twice, and what both clients left behind. Afterwards 200 more clients are opened, used and closed.
"""

import argparse
import asyncio
import json
import signal
import time
from collections import Counter
from pathlib import Path

import psutil

from gcsched.cli.commands.serve import find_loop_factory
from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.scenarios.client_restarts import (
    ManyCallers,
    call_each_once,
    count_connections,
    count_settled_resources,
    find_leaks,
)
from tests.scenarios.cluster import Cluster, a_cluster, quantile

SERVICES = 3
CLIENTS = 100  # of each kind, one after the other
MAX_REPORTED = 20
PHASES = {"stopped": signal.SIGTERM, "killed": signal.SIGKILL}


async def measure(folder: Path, rounds: int) -> Figures:
    async with a_cluster(folder, services=SERVICES) as cluster:
        ports = [each.port for each in cluster.services]
        target = "ipv4:" + ",".join(each.target for each in cluster.services)
        await call_each_once(target)  # what gRPC keeps for the whole process is there afterwards
        phases = {
            name: await measure_phase(cluster, target, number, rounds)
            for name, number in PHASES.items()
        }
        before, native = await count_settled_resources(ports), psutil.Process().num_threads()
        for _ in range(CLIENTS):
            await call_each_once(target)
        problems = await find_leaks(ports, before)
        return {
            "services": SERVICES,
            "rounds": rounds,
            **phases,
            "clients_opened_and_closed": {
                "clients": 2 * CLIENTS,
                "native_threads_before": native,
                "native_threads_after": psutil.Process().num_threads(),
                "problems": problems,
            },
        }


async def measure_phase(cluster: Cluster, target: str, number: int, rounds: int) -> Figures:
    ports = [each.port for each in cluster.services]
    callers, connections = ManyCallers(target=target), list[int]()
    before = await count_settled_resources(ports)
    start = time.monotonic()

    async def restart_each() -> None:
        for _ in range(rounds):
            for service in cluster.services:
                service.signal(number)
                await service.wait_for_exit(within=60)
                await service.start()
                connections.append(count_connections(ports))

    await callers.call_during(restart_each)
    seconds = time.monotonic() - start
    problems = callers.failures[:MAX_REPORTED] + find_lost_jobs(cluster, callers)
    took = sorted(callers.seconds)
    figures = {
        "restarts": rounds * SERVICES,
        "seconds": round(seconds, 1),
        "calls": len(callers.jobs) + len(callers.failures),
        "failed_calls": len(callers.failures),
        "seconds_of_a_call": {
            "p50": round(quantile(took, 0.5), 2),
            "p99": round(quantile(took, 0.99), 2),
            "most": round(took[-1], 2),
        },
        "most_connections": max(connections),
        "health": Counter(callers.health),
    }
    return {**figures, "problems": problems + await find_leaks(ports, before)}


def find_lost_jobs(cluster: Cluster, callers: ManyCallers) -> list[str]:
    """Compare what the callers were answered with the jobs in MongoDB."""
    stored: dict[str, list[str]] = {}
    for job in cluster.jobs():
        stored.setdefault(job["empid"], []).append(str(job["_id"]))
    problems = [
        f"{empid}: answered {job_id}, stored {stored.get(empid)}"
        for empid, job_id in callers.jobs.items()
        if stored.get(empid) != [job_id]
    ]
    return problems[:MAX_REPORTED]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with a_temporary_folder() as folder, asyncio.Runner(loop_factory=find_loop_factory()) as runner:
        seen = {
            "surroundings": run_metadata(),
            **runner.run(measure(folder, options.rounds)),
        }
    print(json.dumps(seen))
    if options.json is not None:
        options.json.write_text(json.dumps(seen, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
