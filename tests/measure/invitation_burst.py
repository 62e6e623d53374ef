"""Measure the CPU time of bursts: mails with an event against mails without, in turns.

    python -m tests.measure.invitation_burst [--jobs 5000] [--rounds 7] [--calls-per-s 800]
        [--json docs/measurements/invitation_burst.json]

For each burst the jobs are scheduled by single calls, whose CPU time is measured too.
They are scheduled far enough ahead if the machine makes --calls-per-s of them.
"""

import argparse
import time
from functools import partial
from pathlib import Path

from google.protobuf.duration_pb2 import Duration

from gcsched.pb import task_pb2
from tests.measure.bench import Bench, run_bench, run_services
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
from tests.support.invitations import INTERVIEW

EVENT = task_pb2.Event(
    start="2030-01-08T09:00",
    duration=Duration(seconds=45 * 60),
    time_zone=INTERVIEW.zone,
    location=INTERVIEW.location,
    url=INTERVIEW.url,
    description=INTERVIEW.description,
)


async def measure_jobs(
    bench: Bench, count: int, calls_per_s: float, event: task_pb2.Event | None
) -> Figures:
    """Schedule *count* mails for one second by single calls; measure the calls, then the mails."""
    due = seconds_from_now(MIN_LEAD_SECONDS + count / calls_per_s + 1)
    requests = meets(count, lambda _: due)
    if event is not None:
        for request in requests:
            request.event.CopyFrom(event)
    before, started = bench.cpu_seconds(), time.perf_counter()
    await schedule_one_by_one(bench.services[0].target, requests)
    seconds = time.perf_counter() - started
    calls = {
        "calls_per_s": round(count / seconds, 1),
        "cpu_us_per_call": cpu_us_each(before, bench.cpu_seconds(), count),
    }
    return {**calls, **await measure_delivery(bench, count, due)}


async def measure(folder: Path, options: argparse.Namespace) -> Figures:
    with run_bench(folder, is_pinned=not options.unpinned) as bench:
        async with run_services(bench):
            await measure_burst(bench, 1_000)  # sessions and caches as in service
            run = partial(measure_jobs, bench, options.jobs, options.calls_per_s)
            turns = {"without event": partial(run, None), "with event": partial(run, EVENT)}
            return await run_in_turns(options.rounds, turns)


def main() -> None:
    parser = build_parser(__doc__)
    parser.add_argument("--jobs", type=int, default=5_000)
    parser.add_argument("--calls-per-s", type=float, default=CALLS_PER_LEAD_SECOND)
    run_measurement("tests.measure.invitation_burst", parser.parse_args(), measure)


if __name__ == "__main__":
    main()
