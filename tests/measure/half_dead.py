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

from gcsched.cli.commands.serve import fastest_loop
from tests.chaos.callers import Callers
from tests.measure.spine import Figures, a_folder, surroundings
from tests.scenarios.cluster import Stage, a_stage
from tests.support.failing_service import HARD_WAYS, WAYS, executed_to_fail
from tests.support.ports import free_port
from tests.support.probes import looking_at
from tests.support.service import ServiceProcess, environment
from tests.support.wait import until

PER_SECOND = 40.0
BEFORE_SECONDS, AFTER_SECONDS = 1.0, 1.5


async def parts_of(stage: Stage) -> list[str]:
    async with looking_at(stage.services[0].http) as look:
        _, told = await look.ready()
        return list(told["parts"])


async def ended(stage: Stage, victim: ServiceProcess) -> Figures:
    """Tell the part of *victim* to end; watch the process until it is gone."""
    before, told_at = stage.size_of_ledger(), time.monotonic()
    victim.signal(signal.SIGUSR1)
    try:
        code: Any = await victim.ended(within=30)
    except AssertionError:
        code = "stayed"
    seconds = time.monotonic() - told_at
    await asyncio.sleep(AFTER_SECONDS)
    return {
        "seconds_until_gone": round(seconds, 2),
        "exit_code": code,
        "mails_meanwhile": stage.size_of_ledger() - before,
    }


async def one(stage: Stage, part: str, how: str) -> Figures:
    settings = environment(
        mongo=stage.mongo.uri, redis=stage.valkey.uri, relay_port=stage.relay_port
    )
    victim = ServiceProcess(
        environment=settings,
        log_file=stage.folder / f"{part}-{how}.log".replace("/", "_"),
        port=free_port(),
        begin=executed_to_fail(part, how),
    )
    targets = [stage.services[0].target, victim.target]
    callers = Callers(
        targets=targets, seed=hash((part, how)), per_second=PER_SECOND, latest_due_seconds=2
    )
    stop = asyncio.Event()
    try:
        await victim.start()
        async with asyncio.TaskGroup() as tasks:
            calling = tasks.create_task(callers.call_until(stop, patience=30))
            await asyncio.sleep(BEFORE_SECONDS)
            seen = await ended(stage, victim)
            stop.set()
            await calling
        await until(lambda: set(callers.due) <= set(stage.arrivals()), within=60, every=0.3)
        await until(lambda: {job["state"] for job in stage.jobs()} == {"SENT"}, within=60)
    finally:
        await victim.end()
    critical = [line for line in victim.log.splitlines() if '"critical"' in line]
    return {**seen, "critical": [json.loads(line)["event"] for line in critical]}


async def all_parts(folder: Path, chosen: list[str]) -> Figures:
    async with a_stage(folder, services=1) as stage:
        found: Figures = {}
        parts = chosen or await parts_of(stage)
        for part in parts:
            for how in [*WAYS, *(HARD_WAYS if part == parts[-1] else ())]:
                found[f"{part} {how}"] = await one(stage, part, how)
                print(part, how, json.dumps(found[f"{part} {how}"]), flush=True)
        return {"parts": found, "mails": await verdict(stage)}


async def verdict(stage: Stage) -> Figures:
    """Judge all mails of all runs together: none lost, none doubled but UNCERTAIN ones."""
    arrivals = stage.arrivals()
    double = {recipient for recipient, times in arrivals.items() if len(times) > 1}
    jobs = stage.jobs()
    return {
        "jobs": len(jobs),
        "lost": len({job["email"] for job in jobs} - set(arrivals)),
        "doubled": len(double),
        "doubled_not_uncertain": len(double - stage.uncertain()),
        "uncertain": len(stage.uncertain()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    command = " ".join(["python -m tests.measure.half_dead", *sys.argv[1:]])
    with a_folder() as folder, asyncio.Runner(loop_factory=fastest_loop()) as runner:
        seen = runner.run(all_parts(folder, options.parts))
    seen["surroundings"] = {**surroundings(), "command": command}
    print(json.dumps(seen["mails"]))
    if options.json:
        options.json.write_text(json.dumps(seen, indent=1) + "\n")


if __name__ == "__main__":
    main()
