"""End each part of a service in turn, in each way, while it and a healthy replica send mails.

    python -m tests.measure.half_dead [PART …] --json docs/measurements/half_dead.json

For each: how long until the process was gone, with which exit code, what became of the mails.
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


async def part_names(stage: Cluster) -> list[str]:
    async with probe_http(stage.services[0].http) as look:
        _, told = await look.get_readiness()
        return list(told["parts"])


async def end_part(stage: Cluster, victim: ServiceProcess) -> Figures:
    """Tell the part of *victim* to end; watch the process until it is gone."""
    before, told_at = stage.count_mails(), time.monotonic()
    victim.signal(signal.SIGUSR1)
    try:
        code: Any = await victim.wait_for_exit(within=30)
    except AssertionError:
        code = "stayed"
    seconds = time.monotonic() - told_at
    await asyncio.sleep(AFTER_SECONDS)
    return {
        "seconds_until_gone": round(seconds, 2),
        "exit_code": code,
        "mails_meanwhile": stage.count_mails() - before,
    }


async def measure_part(stage: Cluster, part: str, how: str) -> Figures:
    settings = environment(
        mongo=stage.mongo.uri, redis=stage.valkey.uri, relay_port=stage.relay_port
    )
    victim = ServiceProcess(
        environment=settings,
        log_file=stage.folder / f"{part}-{how}.log".replace("/", "_"),
        port=free_port(),
        launcher=execute_with_failure(part, how),
    )
    targets = [stage.services[0].target, victim.target]
    callers = Callers(
        targets=targets, seed=hash((part, how)), per_second=PER_SECOND, latest_due_seconds=2
    )
    stop = asyncio.Event()
    try:
        await victim.start()
        async with asyncio.TaskGroup() as tasks:
            calling = tasks.create_task(callers.call_until(stop, max_wait=30))
            await asyncio.sleep(BEFORE_SECONDS)
            seen = await end_part(stage, victim)
            stop.set()
            await calling
        await until(lambda: set(callers.due) <= set(stage.arrivals()), within=60, every=0.3)
        await until(lambda: {job["state"] for job in stage.jobs()} == {"SENT"}, within=60)
    finally:
        await victim.kill_if_running()
    critical = [line for line in victim.log.splitlines() if '"critical"' in line]
    return {**seen, "critical": [json.loads(line)["event"] for line in critical]}


async def measure_parts(folder: Path, chosen: list[str]) -> Figures:
    async with a_cluster(folder, services=1) as stage:
        found: Figures = {}
        parts = chosen or await part_names(stage)
        for part in parts:
            for how in [*FAILURES, *(HARD_FAILURES if part == parts[-1] else ())]:
                found[f"{part} {how}"] = await measure_part(stage, part, how)
                print(part, how, json.dumps(found[f"{part} {how}"]), flush=True)
        return {"parts": found, "mails": await judge_mails(stage)}


async def judge_mails(stage: Cluster) -> Figures:
    """Judge all mails of all runs together: none lost, none doubled but UNCERTAIN ones."""
    arrivals = stage.arrivals()
    double = {recipient for recipient, times in arrivals.items() if len(times) > 1}
    jobs = stage.jobs()
    return {
        "jobs": len(jobs),
        "lost": len({job["email"] for job in jobs} - set(arrivals)),
        "doubled": len(double),
        "doubled_not_uncertain": len(double - stage.uncertain_recipients()),
        "uncertain": len(stage.uncertain_recipients()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    command = " ".join(["python -m tests.measure.half_dead", *sys.argv[1:]])
    with a_temporary_folder() as folder, asyncio.Runner(loop_factory=find_loop_factory()) as runner:
        seen = runner.run(measure_parts(folder, options.parts))
    seen["surroundings"] = {**run_metadata(), "command": command}
    print(json.dumps(seen["mails"]))
    if options.json:
        options.json.write_text(json.dumps(seen, indent=1) + "\n")


if __name__ == "__main__":
    main()
