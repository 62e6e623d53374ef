"""Measure the budget of a call and of a mail: where their CPU time goes.

    python -m tests.measure.budget [--jobs 5000] [--rounds N]
        [--json docs/measurements/budget.json]

The kernel counts the CPU time of each process; samples of the service's main thread divide its
share (sampled_service.py). `python -m tests.measure.budget_picture` draws the figures.
"""

import argparse
import asyncio
import json
import signal
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.measure.bench import Bench, launch_service, run_bench, run_services
from tests.measure.bursts import (
    CALLS_PER_LEAD_SECOND,
    MIN_LEAD_SECONDS,
    cpu_us_each,
    measure_burst,
    measure_delivery,
    run_in_turns,
)
from tests.measure.command_line import build_parser, run_measurement
from tests.measure.delivery import Figures, seconds_from_now
from tests.measure.load import meets, schedule_one_by_one
from tests.support.wait import until

CALLERS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledService:
    """A service that writes the samples of its main thread into *samples* when it is signalled."""

    bench: Bench
    samples: Path

    async def take_samples(self) -> dict[str, int]:
        """Return the number of samples by part since the last time."""
        self.samples.unlink(missing_ok=True)
        self.bench.services[0].signal(signal.SIGUSR1)
        await until(self.samples.exists)
        return dict(json.loads(self.samples.read_text(encoding="utf-8")))

    async def measure(self, work: Awaitable[object], count: int) -> Figures:
        """Return what *work* costs for each of *count* jobs: in each process, and in the parts."""
        await self.take_samples()
        before = self.bench.cpu_seconds()
        await work
        cpu = cpu_us_each(before, self.bench.cpu_seconds(), count)
        samples = await self.take_samples()
        each = cpu["gcsched"] / sum(samples.values())
        parts = {part: round(number * each, 1) for part, number in sorted(samples.items())}
        return {"cpu_us": cpu, "parts_us": parts, "samples": sum(samples.values())}


async def measure(folder: Path, options: argparse.Namespace) -> Figures:
    samples = folder / "samples.json"
    command = ("-m", "tests.measure.sampled_service", str(samples))
    with run_bench(folder, is_pinned=not options.unpinned) as bench:
        async with run_services(bench, launcher=partial(launch_service, command=command)):
            await measure_burst(bench, 1_000)  # sessions and caches as in service
            sampled = SampledService(bench=bench, samples=samples)
            work = {"jobs": partial(measure_jobs, sampled, options.jobs)}
            return {"budget": (await run_in_turns(options.rounds, work))["jobs"]}


async def measure_jobs(sampled: SampledService, count: int) -> Figures:
    """Schedule *count* mails for one second by single calls; measure the calls, then the mails."""
    bench = sampled.bench
    due = seconds_from_now(MIN_LEAD_SECONDS + count / CALLS_PER_LEAD_SECOND + 1)
    requests = meets(count, lambda _: due)
    calling = schedule_one_by_one(bench.services[0].target, requests, at_once=CALLERS)
    call = await sampled.measure(calling, count)
    await asyncio.sleep(max(0.0, due - 0.5 - time.time()))
    mail = await sampled.measure(measure_delivery(bench, count, due), count)
    return {"call": call, "mail": mail}


def main() -> None:
    parser = build_parser(__doc__)
    parser.add_argument("--jobs", type=int, default=5_000)
    run_measurement("tests.measure.budget", parser.parse_args(), measure)


if __name__ == "__main__":
    main()
