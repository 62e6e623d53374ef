"""One round of each kind of scenario: make the load, wait for what follows, return the figures."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from gcsched.bench.cpu import read_cpu_seconds, read_memory_mb
from gcsched.bench.figures import Figures, describe_cpu, quantiles
from gcsched.bench.load import Load
from gcsched.bench.scenario import Kind, Scenario
from gcsched.bench.system import Arrivals

FAR_SECONDS = 7_200
"""In how many seconds the jobs of calls are due: they are cancelled before."""
WARM_UP_JOBS = 500
POLL_SECONDS = 0.1
REMOTE_POLL_SECONDS = 2.0
DUPLICATE_SECONDS = 1.0
"""How long a second mail for a job is waited for."""
SLOWEST_MAILS_PER_SECOND = 20
ARRIVAL_GRACE_SECONDS = 30


@dataclass(kw_only=True)
class Round:
    """One round: how long each call took or how late each mail was; *instants* of arrival."""

    figures: Figures = field(default_factory=dict)
    late_seconds: list[float] = field(default_factory=list)
    instants: list[float] = field(default_factory=list)


async def warm_up(load: Load, scenario: Scenario) -> None:
    """Make some calls that are not measured: connections, caches and code are ready then."""
    load.progress.begin("warming up", WARM_UP_JOBS)
    far = time.time() + FAR_SECONDS
    if scenario.kind is Kind.BATCHES:
        await load.schedule_batches(WARM_UP_JOBS, scenario.concurrency, lambda _: far)
    elif scenario.kind is not Kind.MAILS:
        await load.schedule(WARM_UP_JOBS, 64, lambda _: far)


async def run_round(load: Load, scenario: Scenario) -> Round:
    if scenario.kind is Kind.MAILS:
        return await run_mails(load, scenario)
    return await run_calls(load, scenario)


async def run_calls(load: Load, scenario: Scenario) -> Round:
    """Make calls for jobs that are due in hours."""
    load.progress.begin("calling", scenario.count)
    far = time.time() + FAR_SECONDS
    before, started = read_cpu_seconds(load.system.pids), time.perf_counter()

    def due(i: int) -> float:
        return far + i % 600

    if scenario.kind is Kind.CALLS:
        took = {"call": await load.schedule(scenario.count, scenario.concurrency, due)}
    elif scenario.kind is Kind.BATCHES:
        took = {"batch": await load.schedule_batches(scenario.count, scenario.concurrency, due)}
    else:
        took = await load.mix(scenario.count, scenario.concurrency, due)
    seconds = time.perf_counter() - started
    rate = {
        "jobs_per_s" if scenario.kind is Kind.BATCHES else "calls_per_s": round(
            load.progress.done / seconds, 1
        )
    }
    figures: Figures = {**rate, "seconds": round(seconds, 3)}
    for name, each in took.items():
        figures |= quantiles(name, each)
    used = subtract(read_cpu_seconds(load.system.pids), before)
    return Round(
        figures=figures | describe_cpu(used, seconds, scenario.count) | describe_memory(load),
        late_seconds=[each for values in took.values() for each in values],
    )


async def run_mails(load: Load, scenario: Scenario) -> Round:
    """Schedule mails for the coming seconds, and wait until the relay has them."""
    load.progress.begin("scheduling", scenario.count)
    load.due_times.clear()
    first = int(time.time() + scenario.lead_seconds)
    count, spread = scenario.count, scenario.spread_seconds
    per_second = count / spread if scenario.is_paced else 0.0
    before, begun = read_cpu_seconds(load.system.pids), time.time()
    took = await load.schedule(
        count, scenario.concurrency, lambda i: first + i * spread // count, per_second=per_second
    )
    slack = first - time.time()
    if not scenario.spread_seconds:
        # The CPU of the burst alone, not that of the calls before it.
        await asyncio.sleep(max(0.0, first - 0.05 - time.time()))
        before, begun = read_cpu_seconds(load.system.pids), time.time()
    arrivals = await wait_for_mails(load, first + spread)
    ended = time.time()
    used = subtract(read_cpu_seconds(load.system.pids), before)
    found = describe_mails(load, arrivals, first=first, slack=slack, took=took)
    found.figures |= describe_cpu(used, ended - begun, count) | describe_memory(load)
    return found


async def wait_for_mails(load: Load, last_due: int) -> Arrivals:
    """Wait until every scheduled mail has arrived, or too long; then a moment for duplicates."""
    scheduled = load.due_times
    limit = ARRIVAL_GRACE_SECONDS + len(scheduled) / SLOWEST_MAILS_PER_SECOND
    load.progress.begin("mailing", len(scheduled))
    is_remote = bool(load.system.employees)
    pause = REMOTE_POLL_SECONDS if is_remote else POLL_SECONDS
    while True:
        arrivals = await load.system.read_arrivals(load.employees)
        present = scheduled.keys() & arrivals.keys()
        load.progress.done = len(present)
        if present:
            load.progress.late_seconds = latest_lateness(scheduled, arrivals)
        if len(present) >= len(scheduled) or time.time() > last_due + limit:
            break
        await asyncio.sleep(pause)
    await asyncio.sleep(DUPLICATE_SECONDS)
    return await load.system.read_arrivals(load.employees)


def latest_lateness(scheduled: Mapping[str, int], arrivals: Arrivals) -> float:
    latest = max(scheduled.keys() & arrivals.keys(), key=lambda each: arrivals[each][0])
    return arrivals[latest][0] - scheduled[latest]


def describe_mails(
    load: Load, arrivals: Arrivals, *, first: int, slack: float, took: list[float]
) -> Round:
    scheduled = load.due_times
    present = [each for each in scheduled if each in arrivals]
    instants = [arrivals[each][0] for each in present]
    late = [arrivals[each][0] - scheduled[each] for each in present]
    seconds = max(instants, default=first) - first
    return Round(
        figures={
            "mails_per_s": round(len(present) / seconds, 1) if seconds > 0 else 0.0,
            "delivered": len(present),
            "missing": len(scheduled) - len(present),
            "duplicates": sum(len(arrivals[each]) - 1 for each in present),
            **quantiles("late", late),
            **quantiles("call", took),
            "scheduled_ahead_s": round(slack, 2),
        },
        late_seconds=late,
        instants=instants,
    )


def describe_memory(load: Load) -> Figures:
    pids = load.system.pids
    return {"memory_mb": read_memory_mb(pids["gcsched"])} if "gcsched" in pids else {}


def subtract(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in after}
