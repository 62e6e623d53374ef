"""A load test: each scenario against its system, and then nothing of the run is left."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from gcsched.bench.failure import BenchFailed
from gcsched.bench.figures import Figures, build_histogram, build_rates, summarize
from gcsched.bench.load import Load
from gcsched.bench.progress import Progress, Show, show_regularly
from gcsched.bench.rounds import Round, run_round, warm_up
from gcsched.bench.scenario import Scenario
from gcsched.bench.surroundings import describe_service
from gcsched.bench.system import System
from gcsched.bench.verdict import judge

CANCEL_REASON = "the load test has ended"
CANCEL_PASSES = 2  # a call without an answer may store its job after the first one
CANCEL_PAUSE_SECONDS = 1.0

OpenSystem = Callable[[Scenario], AbstractAsyncContextManager[System]]


@dataclass(kw_only=True)
class BenchRun:
    """One load test; *name* marks all of its jobs."""

    scenarios: Sequence[Scenario]
    open_system: OpenSystem
    domain: str
    show: Show
    show_seconds: float
    is_embedded: bool
    name: str = field(default_factory=lambda: secrets.token_hex(4))
    progress: Progress = field(default_factory=Progress)

    async def run(self) -> Figures:
        """Run all scenarios, in order; return what each came to.

        Raises BenchFailed, CallFailed and EmbeddedStoreProblem. However it ends, jobs of the run
        that wait in a service of others are cancelled.
        """
        found: Figures = {}
        async with show_regularly(self.progress, self.show, self.show_seconds):
            for scenario in self.scenarios:
                self.progress.scenario, self.progress.rounds = scenario.name, scenario.rounds
                self.progress.round = 1
                self.progress.begin("starting", 0)
                self.show(self.progress)
                async with self.open_system(scenario) as system:
                    found[scenario.name] = await self._run_scenario(scenario, system)
        return found

    async def _run_scenario(self, scenario: Scenario, system: System) -> Figures:
        load = Load(system=system, run=self.name, domain=self.domain, progress=self.progress)
        rounds: list[Round] = []
        async with self._cancel_afterwards(load):
            await warm_up(load, scenario)
            for number in range(1, scenario.rounds + 1):
                self.progress.round = number
                rounds.append(await run_round(load, scenario))
            # Afterwards: under load a process uses more sessions than at its start.
            service = await describe_service(system.clients[0])
        return describe(scenario, rounds, load, service)

    @asynccontextmanager
    async def _cancel_afterwards(self, load: Load) -> AsyncIterator[None]:
        """Cancel the jobs of the run at the end, unless their stores go away anyway."""
        try:
            yield
        finally:
            if not self.is_embedded:
                await cancel_jobs(load)


async def cancel_jobs(load: Load) -> None:
    """Cancel all jobs of the run. Raises CallFailed."""
    load.progress.begin("cancelling", len(load.employees))
    for number in range(CANCEL_PASSES if load.failures else 1):
        await asyncio.sleep(CANCEL_PAUSE_SECONDS if number else 0)
        for empid in sorted(load.employees):
            await load.system.clients[0].cancel_jobs(empid=empid, reason=CANCEL_REASON)
            load.progress.done += 1


def describe(
    scenario: Scenario, rounds: Sequence[Round], load: Load, service: Mapping[str, Any]
) -> Figures:
    """Return the figures of a scenario. Raises BenchFailed if nothing was answered."""
    summary = summarize([each.figures for each in rounds])
    late = [seconds for each in rounds for seconds in each.late_seconds]
    if not late:
        codes = ", ".join(load.failures) or "no mail arrived"
        raise BenchFailed(f"{scenario.name}: nothing was measured ({codes}): see `gcsched status`")
    is_pinned = bool(getattr(load.system, "is_pinned", False))
    return {
        "scenario": asdict(scenario),
        "service": service,
        "is_pinned": is_pinned,
        "rounds": [each.figures for each in rounds],
        "summary": summary,
        "failures": dict(load.failures),
        "distribution": build_histogram(late),
        "rates": build_rates(rounds[-1].instants),
        "verdict": judge(
            scenario,
            summary,
            is_pinned=is_pinned,
            cores=os.cpu_count() or 1,
            sessions=int(service.get("sessions", 0)),
        ),
    }
