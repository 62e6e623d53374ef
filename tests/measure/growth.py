"""Measure how the cost of a call and of a mail grows with the number of waiting jobs.

    python -m tests.measure.growth [--waiting 1000 100000] [--mails 2000]
        [--json docs/measurements/growth.json]

Each number of waiting jobs has stores and a service of its own, which are measured in turn. The
documents are real: see filling.py. Up to a million jobs the indexes grow with them; with more they
are built afterwards, which is faster.
Prints figures and checks nothing.
"""

import argparse
import asyncio
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import psutil

from tests.measure.bench import Bench, run_bench, run_services
from tests.measure.bursts import measure_burst, measure_calls_and_burst, run_in_turns
from tests.measure.command_line import build_parser, run_measurement
from tests.measure.delivery import Figures
from tests.measure.examined import count_examined
from tests.measure.filling import bytes_per_job, check_disk, fill

MAX_INDEX_FIRST = 1_000_000


async def measure(folder: Path, options: argparse.Namespace) -> Figures:
    check_disk(folder, sum(options.waiting))
    seen: Figures = {}
    async with AsyncExitStack() as stack:
        benches: dict[str, Bench] = {}
        for waiting in options.waiting:
            own = folder / str(waiting)
            own.mkdir()
            pinned = not options.unpinned
            started = run_bench(own, cache_gb=options.cache_gb, is_pinned=pinned)
            bench = stack.enter_context(started)
            seen[str(waiting)] = await fill_bench(bench, waiting, options.seed)
            benches[str(waiting)] = bench
        for waiting, bench in benches.items():
            ready_after = await stack.enter_async_context(run_services(bench))
            seen[waiting] |= {"ready_after_s": round(ready_after, 2)}
            await measure_burst(bench, 1_000)  # sessions and caches as in service
            await bench.settle()
            seen[waiting]["idle"] = await measure_idle(bench, options.idle_seconds)
        work = {
            each: partial(measure_calls_and_burst, benches[each], options.mails) for each in benches
        }
        measured = await run_in_turns(options.rounds, work)
    return {"growth": {each: {**seen[each], **measured[each]} for each in seen}}


async def fill_bench(bench: Bench, waiting: int, seed: int) -> Figures:
    """Fill the stores before any service runs; measure sizes and statements."""
    index_first = waiting <= MAX_INDEX_FIRST
    filling = partial(fill, bench.mongo.uri, waiting, seed=seed, index_first=index_first)
    filled = await asyncio.to_thread(filling)
    print(waiting, filled, flush=True)
    await bench.settle()
    sizes = bytes_per_job(bench.mongo.uri)
    examined = await count_examined(bench.mongo.uri)
    return {"filled": filled, "bytes_per_job": sizes, "examined": examined}


async def measure_idle(bench: Bench, seconds: float) -> Figures:
    """Measure what service and stores use while nothing is due: sweeps, counts of the jobs."""
    before = bench.cpu_seconds()
    await asyncio.sleep(seconds)
    after = bench.cpu_seconds()
    return {
        "seconds": seconds,
        "cpu_percent": {
            name: round((after[name] - before[name]) / seconds * 100, 2) for name in after
        },
        "rss_mb": bench.rss_mb(),
        "mongod_rss_mb": round(psutil.Process(bench.mongo.pid).memory_info().rss / 1e6),
    }


def main() -> None:
    parser = build_parser(__doc__)
    parser.add_argument("--waiting", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--mails", type=int, default=2_000, help="calls, and mails of a burst")
    parser.add_argument("--cache-gb", type=float, default=4.0, help="WiredTiger's cache")
    parser.add_argument("--idle-seconds", type=float, default=10.0)
    run_measurement("tests.measure.growth", parser.parse_args(), measure)


if __name__ == "__main__":
    main()
