"""End each background task of a service in each way while it and a healthy replica send mails.

    python -m tests.measure.half_dead [TASK …] --json docs/measurements/half_dead.json

Prints for each how long until the process was gone, its exit code, and the mails meanwhile.
"""

import argparse
import asyncio
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

from gcsched.cli.commands.serve import find_loop_factory
from tests.chaos.callers import Callers
from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.scenarios.cluster import Cluster, a_cluster
from tests.support.ports import free_port
from tests.support.probes import probe_http
from tests.support.service_process import ServiceProcess, environment
from tests.support.service_with_failing_task import FAILURES, HARD_FAILURES, execute_with_failure
from tests.support.wait import until

PER_SECOND = 40.0
BEFORE_SECONDS, AFTER_SECONDS = 1.0, 1.5


async def task_names(cluster: Cluster) -> list[str]:
    async with probe_http(cluster.services[0].http) as probe:
        _, ready = await probe.get_readiness()
        return list(ready["tasks"])


async def end_task(cluster: Cluster, victim: ServiceProcess) -> Figures:
    """End the task of *victim* by a signal, and wait until the process is gone."""
    before, signalled_at = cluster.count_mails(), time.monotonic()
    victim.signal(signal.SIGUSR1)
    try:
        code: Any = await victim.wait_for_exit(within=30)
    except AssertionError:
        code = "stayed"
    seconds = time.monotonic() - signalled_at
    await asyncio.sleep(AFTER_SECONDS)
    return {
        "seconds_until_gone": round(seconds, 2),
        "exit_code": code,
        "mails_meanwhile": cluster.count_mails() - before,
    }


async def measure_task(cluster: Cluster, task: str, how: str) -> Figures:
    settings = environment(
        mongo=cluster.mongo.uri, redis=cluster.valkey.uri, relay_port=cluster.relay_port
    )
    victim = ServiceProcess(
        environment=settings,
        log_file=cluster.folder / f"{task}-{how}.log".replace("/", "_"),
        port=free_port(),
        launcher=execute_with_failure(task, how),
    )
    targets = [cluster.services[0].target, victim.target]
    callers = Callers(
        targets=targets, seed=hash((task, how)), per_second=PER_SECOND, latest_due_seconds=2
    )
    stop = asyncio.Event()
    try:
        await victim.start()
        async with asyncio.TaskGroup() as tasks:
            calling = tasks.create_task(callers.call_until(stop, max_wait=30))
            await asyncio.sleep(BEFORE_SECONDS)
            seen = await end_task(cluster, victim)
            stop.set()
            await calling
        await until(lambda: set(callers.due) <= set(cluster.arrivals()), within=60, every=0.3)
        await until(lambda: {job["state"] for job in cluster.jobs()} == {"SENT"}, within=60)
    finally:
        await victim.kill_if_running()
    critical = [line for line in victim.log.splitlines() if '"critical"' in line]
    return {**seen, "critical": [json.loads(line)["event"] for line in critical]}


async def measure_tasks(folder: Path, chosen: list[str]) -> Figures:
    async with a_cluster(folder, services=1) as cluster:
        found: Figures = {}
        tasks = chosen or await task_names(cluster)
        for task in tasks:
            for how in [*FAILURES, *(HARD_FAILURES if task == tasks[-1] else ())]:
                found[f"{task} {how}"] = await measure_task(cluster, task, how)
                print(task, how, json.dumps(found[f"{task} {how}"]), flush=True)
        return {"parts": found, "mails": await judge_mails(cluster)}


async def judge_mails(cluster: Cluster) -> Figures:
    """Count the lost and the doubled mails of all runs, and the doubled that were not UNCERTAIN."""
    arrivals = cluster.arrivals()
    double = {recipient for recipient, times in arrivals.items() if len(times) > 1}
    jobs = cluster.jobs()
    return {
        "jobs": len(jobs),
        "lost": len({job["email"] for job in jobs} - set(arrivals)),
        "doubled": len(double),
        "doubled_not_uncertain": len(double - cluster.uncertain_recipients()),
        "uncertain": len(cluster.uncertain_recipients()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", metavar="TASK")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    command = " ".join(["python -m tests.measure.half_dead", *sys.argv[1:]])
    with a_temporary_folder() as folder, asyncio.Runner(loop_factory=find_loop_factory()) as runner:
        seen = runner.run(measure_tasks(folder, options.tasks))
    seen["surroundings"] = {**run_metadata(), "command": command}
    print(json.dumps(seen["mails"]))
    if options.json:
        options.json.write_text(json.dumps(seen, indent=1) + "\n")


if __name__ == "__main__":
    main()
