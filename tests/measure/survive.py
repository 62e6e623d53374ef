"""Measure what several replicas do under faults and under load, on real stores.

    python -m tests.measure.survive [SCENARIO …] --json docs/measurements/survive.json

Each scenario prints its figures; `problems` lists the promises that were broken.
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

from gcsched.cli.commands.serve import find_loop_factory
from gcsched.pb import task_pb2
from tests.chaos.callers import Callers
from tests.chaos.verdict import Evidence, problems
from tests.measure.delivery import (
    Figures,
    a_temporary_folder,
    count_states,
    mail_figures,
    run_metadata,
    seconds_from_now,
)
from tests.scenarios.cluster import Cluster, a_cluster, quantile, time_call
from tests.support.relay.script import repeatable
from tests.support.service_process import Stub, a_meet, stub_with_service_config
from tests.support.wait import until

Scenarios = dict[str, Callable[[Path], Coroutine[Any, Any, Figures]]]

KILLS = 100
AWAY_SECONDS = 120.0
BEFORE_SECONDS, AFTER_SECONDS = 20.0, 30.0
MAILS_PER_SECOND = 200.0
BETWEEN_RESTARTS_SECONDS = 5.0
A_MONTH_SECONDS = 30 * 24 * 3600.0


@asynccontextmanager
async def run_callers(
    cluster: Cluster, *, per_second: float, seed: int = 1
) -> AsyncIterator[Callers]:
    """Run callers at *per_second* while the block lasts, then wait until all mails are sent."""
    targets = [service.target for service in cluster.services]
    callers = Callers(targets=targets, seed=seed, per_second=per_second, latest_due_seconds=4.0)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(callers.call_until(stop, max_wait=60))
        yield callers
        stop.set()
    await until(lambda: cluster.count_recipients() >= len(callers.due), within=120, every=0.5)
    await until(lambda: set(count_states(cluster)) == {"SENT"}, within=60, every=1)


def gather_evidence(cluster: Cluster, callers: Callers, faults_ended: float) -> Evidence:
    return Evidence(
        on_uncertain="resend",
        due=callers.due,
        accepted=callers.accepted,
        codes=callers.codes,
        error_details=callers.error_details,
        unanswered=callers.unanswered,
        documents=cluster.jobs(),
        arrivals=[(entry["recipient"], entry["time"]) for entry in cluster.ledger_entries()],
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
    """SIGKILL one of three replicas 100 times at random moments, under 200 mails/s."""
    chance = repeatable("kills")
    async with a_cluster(folder, services=3) as cluster:
        async with run_callers(cluster, per_second=MAILS_PER_SECOND) as callers:
            for _ in range(KILLS):
                await asyncio.sleep(chance.uniform(0.2, 2.0))
                victim = chance.choice(cluster.services)
                await victim.kill()
                await asyncio.sleep(chance.uniform(0.0, 1.0))
                await victim.start()
        return {"kills": KILLS, **figures(gather_evidence(cluster, callers, time.time()))}


async def redis_away(folder: Path, how: str) -> Figures:
    """Stop or freeze Redis for two minutes while 200 mails/s are due."""
    async with a_cluster(folder, services=2) as cluster:
        async with run_callers(cluster, per_second=MAILS_PER_SECOND) as callers:
            await asyncio.sleep(BEFORE_SECONDS)
            if how == "stopped":
                cluster.valkey.kill()
            else:
                cluster.valkey.freeze()
            await asyncio.sleep(AWAY_SECONDS)
            if how == "stopped":
                await cluster.valkey.start()
            else:
                cluster.valkey.resume()
            await asyncio.sleep(AFTER_SECONDS)
        return figures(gather_evidence(cluster, callers, time.time()))


async def rolling(folder: Path) -> Figures:
    """Replace three replicas one after the other, twice, under 300 calls/s and 200 mails/s."""
    async with a_cluster(folder, services=3) as cluster:
        target = "ipv4:" + ",".join(service.target for service in cluster.services)
        calls, stop = Counter[str](), asyncio.Event()
        async with stub_with_service_config(target) as stub, asyncio.TaskGroup() as tasks:
            calling = tasks.create_task(call_continuously(stub, calls, stop))
            for service in [*cluster.services, *cluster.services]:
                await asyncio.sleep(BETWEEN_RESTARTS_SECONDS)
                await service.stop()
                await service.start()
            await asyncio.sleep(BETWEEN_RESTARTS_SECONDS)
            stop.set()
            due = await calling
        await until(lambda: cluster.count_recipients() >= due, within=60, every=0.5)
        await until(lambda: count_states(cluster)["SENT"] >= due, within=60, every=1)
        jobs = [job for job in cluster.jobs() if job["state"] == "SENT"]
        return {
            "restarts": 2 * len(cluster.services),
            "calls": dict(calls),
            **mail_figures(cluster, due),
            "attempts_charged": dict(Counter(job["attempt"] for job in jobs)),
        }


async def call_continuously(stub: Stub, codes: Counter[str], stop: asyncio.Event) -> int:
    """Call 300 times a second; return how many of the mails were due, two of three."""
    started, number = time.monotonic(), 0

    async def call(request: task_pb2.MeetRequest) -> None:
        codes[(await time_call(stub, request)).code] += 1

    async with asyncio.TaskGroup() as tasks:
        while not stop.is_set():
            due = seconds_from_now(2) if number % 3 else seconds_from_now(A_MONTH_SECONDS)
            tasks.create_task(call(a_meet(number, timestamp=due)))
            number += 1
            await asyncio.sleep(started + number / 300 - time.monotonic())
    return number - (number + 2) // 3


SCENARIOS: Scenarios = {
    "kills": kills,
    "redis_stopped": lambda folder: redis_away(folder, "stopped"),
    "redis_frozen": lambda folder: redis_away(folder, "frozen"),
    "rolling": rolling,
}


def run_scenarios(module: str, about: str | None, scenarios: Scenarios) -> None:
    """Run the scenarios that the command line names, or all, each in its own folder."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", default=list(scenarios))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    command = " ".join(["python -m", module, *sys.argv[1:]])
    seen: Figures = {"surroundings": {**run_metadata(), "command": command}}
    for name in options.scenarios:
        with (
            a_temporary_folder() as folder,
            asyncio.Runner(loop_factory=find_loop_factory()) as runner,
        ):
            seen[name] = runner.run(scenarios[name](folder))
        print(name, json.dumps(seen[name]), flush=True)
        if options.json:
            options.json.write_text(json.dumps(seen, indent=1) + "\n")


if __name__ == "__main__":
    run_scenarios("tests.measure.survive", __doc__, SCENARIOS)
