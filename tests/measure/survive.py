"""Measure what several replicas do under faults and under load, on real stores.

    python -m tests.measure.survive [SCENARIO …] --json docs/measurements/survive.json

Each scenario prints what was seen; `problems` lists what did not hold of the promises.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gcsched.cli.serve import fastest_loop
from tests.chaos.callers import Callers
from tests.chaos.verdict import Evidence, problems
from tests.measure.spine import Figures, a_folder, states, surroundings
from tests.relay_script import repeatable
from tests.stage import Stage, a_stage, quantile
from tests.waiting import until

KILLS = 100
AWAY_SECONDS = 120.0
BEFORE_SECONDS, AFTER_SECONDS = 20.0, 30.0
MAILS_PER_SECOND = 200.0


@asynccontextmanager
async def called(stage: Stage, *, per_second: float, seed: int = 1) -> AsyncIterator[Callers]:
    """Let callers ask *per_second* while the block lasts, then wait until all is sent."""
    targets = [service.target for service in stage.services]
    callers = Callers(targets=targets, seed=seed, per_second=per_second, latest_due_seconds=4.0)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(callers.call_until(stop, patience=60))
        yield callers
        stop.set()
    await until(lambda: stage.arrived() >= len(callers.due), within=120, every=0.5)
    await until(lambda: set(states(stage)) == {"SENT"}, within=60, every=1)


def evidence(stage: Stage, callers: Callers, faults_ended: float) -> Evidence:
    return Evidence(
        on_uncertain="resend",
        due=callers.due,
        accepted=callers.accepted,
        codes=callers.codes,
        words=callers.words,
        documents=stage.jobs(),
        arrivals=[(entry["recipient"], entry["time"]) for entry in stage.entries()],
        relay_faults=Counter(),
        faults_ended=faults_ended,
    )


def figures(seen: Evidence) -> Figures:
    late = seen.lateness
    return {
        "jobs": len(seen.documents),
        "calls": dict(seen.codes),
        "duplicates": seen.duplicates,
        "uncertain": len(seen.uncertain),
        "late_p50_seconds": round(quantile(late, 0.5), 3),
        "late_p99_seconds": round(quantile(late, 0.99), 3),
        "late_max_seconds": round(late[-1], 3),
        "problems": problems(seen),
    }


async def kills(folder: Path) -> Figures:
    """SIGKILL one of three replicas at random instants, 100 times, under 200 mails/s."""
    chance = repeatable("kills")
    async with a_stage(folder, services=3) as stage:
        async with called(stage, per_second=MAILS_PER_SECOND) as callers:
            for _ in range(KILLS):
                await asyncio.sleep(chance.uniform(0.2, 2.0))
                victim = chance.choice(stage.services)
                await victim.kill()
                await asyncio.sleep(chance.uniform(0.0, 1.0))
                await victim.start()
        return {"kills": KILLS, **figures(evidence(stage, callers, time.time()))}


async def redis_away(folder: Path, trouble: str) -> Figures:
    """Redis stopped or frozen for two minutes while 200 mails/s are due."""
    async with a_stage(folder, services=2) as stage:
        async with called(stage, per_second=MAILS_PER_SECOND) as callers:
            await asyncio.sleep(BEFORE_SECONDS)
            if trouble == "stopped":
                stage.valkey.kill()
            else:
                stage.valkey.stop_signal()
            await asyncio.sleep(AWAY_SECONDS)
            if trouble == "stopped":
                await stage.valkey.start()
            else:
                stage.valkey.cont()
            await asyncio.sleep(AFTER_SECONDS)
        return figures(evidence(stage, callers, time.time()))


SCENARIOS: dict[str, Callable[[Path], Coroutine[Any, Any, Figures]]] = {
    "kills": kills,
    "redis_stopped": lambda folder: redis_away(folder, "stopped"),
    "redis_frozen": lambda folder: redis_away(folder, "frozen"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", default=list(SCENARIOS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    command = " ".join(["python -m tests.measure.survive", *sys.argv[1:]])
    seen: Figures = {"surroundings": {**surroundings(), "command": command}}
    for name in options.scenarios:
        with a_folder() as folder, asyncio.Runner(loop_factory=fastest_loop()) as runner:
            seen[name] = runner.run(SCENARIOS[name](folder))
        print(name, json.dumps(seen[name]), flush=True)
        if options.json:
            options.json.write_text(json.dumps(seen, indent=1) + "\n")


if __name__ == "__main__":
    main()
