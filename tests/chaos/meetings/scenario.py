"""Run one seed: inject faults while callers change meetings, then check what attendees have."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.cluster import ChaosCluster, a_chaos_cluster
from tests.chaos.faults import FaultKind, draw_faults
from tests.chaos.meetings.calendars import Notice, read_notice
from tests.chaos.meetings.organizers import Organizers
from tests.chaos.meetings.verdict import Evidence, find_purpose, problems
from tests.chaos.scenario import SETTINGS, inject_faults
from tests.support.relay.script import KeptMail
from tests.support.wait import until

SETTLE_SECONDS = 150.0
MAX_WAIT_SECONDS = 120.0  # of callers after the faults: the replica set may elect for a while


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One run of *meetings* over *seconds*; *speedup* as in tests/chaos/scenario.py."""

    seed: int
    services: int
    seconds: float
    meetings: int
    speedup: float = 1.0


async def run_scenario(scenario: Scenario, folder: Path) -> dict[str, Any]:
    """Run *scenario* and return its report; its `problems` must be empty."""
    drawn = draw_faults(
        scenario.seed,
        services=scenario.services,
        seconds=scenario.seconds,
        speedup=scenario.speedup,
    )
    # A clock that is off is another scenario: reminders would be due at other times.
    timelines = [
        [each for each in line if each.kind is not FaultKind.SERVICE_CLOCK_OFF] for line in drawn
    ]
    settings = {**SETTINGS, "on_uncertain": "resend", "meeting_settle": "2"}
    async with a_chaos_cluster(folder, services=scenario.services, **settings) as cluster:
        organizers = Organizers(
            targets=[service.target for service in cluster.services], seed=scenario.seed
        )
        async with asyncio.TaskGroup() as tasks:
            over = asyncio.Event()
            tasks.create_task(
                organizers.organize(
                    scenario.meetings,
                    every=scenario.seconds / scenario.meetings * 0.7,
                    pause=min(30.0, scenario.seconds / 4),
                    over=over,
                    max_wait=MAX_WAIT_SECONDS,
                )
            )
            await inject_faults(cluster, timelines)
            over.set()
        evidence = await wait_until_settled(cluster, organizers, Mails(cluster.relay.ledger))
    return {
        "seed": scenario.seed,
        "services": scenario.services,
        "seconds": scenario.seconds,
        "meetings": len(organizers.plans),
        "faults": sum(map(len, timelines)),
        "calls": dict(organizers.codes),
        "jobs": dict(Counter(f"{find_purpose(job)} {job['state']}" for job in evidence.jobs)),
        "mails": dict(Counter(each.method or "REMINDER" for each in evidence.notices)),
        "problems": problems(evidence),
    }


@dataclass(eq=False)
class Mails:
    """Reads each mail of *ledger* once, in a thread.

    The event loop carries the heartbeats of the replica set: if it stands still for two seconds,
    the members elect another primary.
    """

    ledger: Sequence[KeptMail]
    _notices: list[Notice] = field(default_factory=list, init=False)

    def read(self) -> Sequence[Notice]:
        new = self.ledger[len(self._notices) :]
        self._notices += [read_notice(each.recipient, each.time, each.content) for each in new]
        return tuple(self._notices)


async def wait_until_settled(
    cluster: ChaosCluster, organizers: Organizers, mails: Mails
) -> Evidence:
    """Return the evidence once it shows no problem, or when that has taken too long."""
    latest = [await gather_evidence(cluster, organizers, mails)]

    async def is_settled() -> bool:
        latest[0] = await gather_evidence(cluster, organizers, mails)
        return not await asyncio.to_thread(problems, latest[0])

    try:
        await until(is_settled, within=SETTLE_SECONDS, every=1.0)
    except AssertionError:
        return latest[0]  # the report says what is left
    return latest[0]


async def gather_evidence(cluster: ChaosCluster, organizers: Organizers, mails: Mails) -> Evidence:
    jobs = await asyncio.to_thread(cluster.replica_set.read, "jobs")
    meetings = await asyncio.to_thread(cluster.replica_set.read, "meetings")
    return Evidence(
        plans=organizers.plans,
        unexpected=organizers.unexpected,
        notices=await asyncio.to_thread(mails.read),
        jobs=jobs,
        meetings={each["_id"]: each for each in meetings},
    )
