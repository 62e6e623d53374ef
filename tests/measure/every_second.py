"""Measure mails that are due every second for minutes: how late they are, and whether it grows.

    python -m tests.measure.every_second [--seconds 30] [--per-second 500]
        [--json docs/measurements/every_second.json]

All jobs are scheduled before the first second; most of them lie beyond the horizon of the wake-ups
then, so that sweeps schedule their seconds. Prints figures and checks nothing.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import linear_regression

from tests.measure.bench import Bench, run_bench, run_services
from tests.measure.bursts import (
    JOBS_PER_LEAD_SECOND,
    cpu_us_each,
    ledger_size,
    measure_burst,
    read_ledger,
    wait_for_mails,
)
from tests.measure.command_line import build_parser, run_measurement
from tests.measure.delivery import Figures, seconds_from_now
from tests.measure.load import meets, schedule_in_batches
from tests.scenarios.cluster import quantile

WINDOW_SECONDS = 30
WAIT_SECONDS = 120  # for the mails of a service that does not keep up


async def measure(folder: Path, options: argparse.Namespace) -> Figures:
    with run_bench(folder, is_pinned=not options.unpinned) as bench:
        async with run_services(bench):
            await measure_burst(bench, 1_000)  # sessions and caches as in service
            return {"every_second": await measure_seconds(bench, options)}


async def measure_seconds(bench: Bench, options: argparse.Namespace) -> Figures:
    count = options.seconds * options.per_second
    first = seconds_from_now(10 + count / JOBS_PER_LEAD_SECOND)
    requests = meets(count, lambda number: first + number // options.per_second)
    await schedule_in_batches(bench.services[0].target, requests)
    since, ahead = ledger_size(bench), first - time.time()
    await asyncio.sleep(max(0.0, first - 0.05 - time.time()))
    before, within = bench.cpu_seconds(), options.seconds + WAIT_SECONDS
    arrivals = await wait_for_mails(bench, since, count, within=within)
    cpu = cpu_us_each(before, bench.cpu_seconds(), count)
    places = [(due - first, arrival - due) for due, arrival, _ in read_ledger(bench, since)]
    return {
        "seconds": options.seconds,
        "per_second": options.per_second,
        "missing": count - arrivals.recipients,
        "repeated": arrivals.mails - arrivals.recipients,
        "scheduled_ahead_s": round(ahead, 1),
        "cpu_us_per_mail": cpu,
        "rss_mb": bench.rss_mb(),
        "all": describe_lateness(arrivals.lateness),
        "windows": [
            {"from_second": start, **describe_lateness(sorted(late))}
            for start in range(0, options.seconds, WINDOW_SECONDS)
            if (late := [late for at, late in places if 0 <= at - start < WINDOW_SECONDS])
        ],
        "drift_ms_per_minute": round(drift(places) * 60_000, 2),
    }


def describe_lateness(late: Sequence[float]) -> Figures:
    """Return how long after the start of its second a mail arrived."""
    shares = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}
    return {name: round(quantile(late, share) * 1e3, 1) for name, share in shares.items()}


def drift(places: Sequence[tuple[int, float]]) -> float:
    """Return the seconds by which lateness grows with each second, by least squares."""
    seconds, late = zip(*places, strict=True)
    if len(set(seconds)) == 1:
        return 0.0
    return linear_regression(seconds, late).slope


def main() -> None:
    parser = build_parser(__doc__)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--per-second", type=int, default=500)
    run_measurement("tests.measure.every_second", parser.parse_args(), measure)


if __name__ == "__main__":
    main()
