"""Run one seed: inject faults while callers schedule mails, then check that all ended well."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.callers import Callers
from tests.chaos.cluster import ChaosCluster, a_chaos_cluster
from tests.chaos.fault_injection import inject
from tests.chaos.faults import Fault, draw_faults
from tests.chaos.verdict import DEADLINE_SECONDS, SETTLED, Evidence, problems
from tests.scenarios.cluster import quantile
from tests.support.relay.script import Hang, Trickle
from tests.support.wait import until

MARGIN_SECONDS = 5.0
SETTINGS = {"retry_waits_seconds": "1,2,4", "retry_attempts": "50", "smtp_sessions": "8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One run; *speedup* divides the durations of faults and the pauses between them."""

    seed: int
    on_uncertain: str
    services: int
    seconds: float
    per_second: float
    speedup: float = 1.0

    @property
    def calls(self) -> int:
        return round(self.seconds * self.per_second)


async def run_scenario(scenario: Scenario, folder: Path) -> dict[str, Any]:
    """Run *scenario* and return its report; its `problems` must be empty."""
    timelines = draw_faults(
        scenario.seed,
        services=scenario.services,
        seconds=scenario.seconds,
        speedup=scenario.speedup,
    )
    settings = {**SETTINGS, "on_uncertain": scenario.on_uncertain}
    async with a_chaos_cluster(folder, services=scenario.services, **settings) as cluster:
        callers = Callers(
            targets=[service.target for service in cluster.services],
            seed=scenario.seed,
            per_second=scenario.per_second,
        )
        async with asyncio.TaskGroup() as tasks:
            over = asyncio.Event()
            tasks.create_task(
                callers.call(scenario.calls, faults_over=over, max_wait=DEADLINE_SECONDS)
            )
            ended = await inject_faults(cluster, timelines)
            over.set()
        await wait_until_settled(cluster, callers, scenario)
        evidence = await gather_evidence(cluster, callers, scenario, ended)
    return report(scenario, timelines, evidence)


async def inject_faults(cluster: ChaosCluster, timelines: Sequence[Sequence[Fault]]) -> float:
    """Inject the faults of all *timelines*; return when the last one ended."""
    start = time.monotonic()

    async def follow(timeline: Sequence[Fault]) -> None:
        for fault in timeline:
            await asyncio.sleep(start + fault.start - time.monotonic())
            async with inject(cluster, fault):
                await asyncio.sleep(fault.duration)

    async with asyncio.TaskGroup() as tasks:
        for timeline in timelines:
            tasks.create_task(follow(timeline))
    return time.time()


async def wait_until_settled(cluster: ChaosCluster, callers: Callers, scenario: Scenario) -> None:
    """Wait until every job is settled, or until that may have taken too long."""

    async def is_settled() -> bool:
        documents = await asyncio.to_thread(cluster.replica_set.read, "jobs")
        return all(job["state"] in SETTLED[scenario.on_uncertain] for job in documents)

    last_due_in = max([time.time(), *callers.due.values()]) - time.time()
    try:
        await until(is_settled, within=last_due_in + DEADLINE_SECONDS + MARGIN_SECONDS, every=0.5)
    except AssertionError:
        return  # the verdict reports what is left


async def gather_evidence(
    cluster: ChaosCluster, callers: Callers, scenario: Scenario, ended: float
) -> Evidence:
    return Evidence(
        on_uncertain=scenario.on_uncertain,
        due=callers.due,
        accepted=callers.accepted,
        codes=callers.codes,
        error_details=callers.error_details,
        unanswered=callers.unanswered,
        documents=await asyncio.to_thread(cluster.replica_set.read, "jobs"),
        arrivals=[(kept.recipient, kept.time) for kept in cluster.relay.ledger],
        relay_faults=Counter(
            moment.recipient
            for moment, action in cluster.relay.applied_actions
            if not isinstance(action, Trickle | Hang)  # these only delay a reply
        ),
        faults_ended=ended,
    )


def report(
    scenario: Scenario, timelines: Sequence[Sequence[Fault]], evidence: Evidence
) -> dict[str, Any]:
    late = evidence.lateness
    return {
        "seed": scenario.seed,
        "on_uncertain": scenario.on_uncertain,
        "services": scenario.services,
        "seconds": scenario.seconds,
        "asked": len(evidence.due),
        "answered": len(evidence.accepted),
        "jobs": len(evidence.documents),
        "states": dict(Counter(job["state"] for job in evidence.documents)),
        "faults": dict(Counter(fault.kind.value for timeline in timelines for fault in timeline)),
        "calls": dict(evidence.codes),
        "duplicates": evidence.duplicates,
        "uncertain": len(evidence.uncertain),
        "late_p50_seconds": round(quantile(late, 0.5), 3),
        "late_p99_seconds": round(quantile(late, 0.99), 3),
        "late_max_seconds": round(late[-1], 3),
        "last_after_faults_seconds": round(
            max(at for _, at in evidence.arrivals) - evidence.faults_ended, 3
        ),
        "problems": problems(evidence),
    }
