"""Measure one to four processes that send the mails of the same second.

    python -m tests.measure.processes [--processes 1 2] [--mails 2000] [--rounds N] [--unpinned]
        [--json docs/measurements/processes.json]

All processes share one core unless --unpinned is given: then the CPU time of a mail can be compared
with that of one process, but not the mails per second. Prints figures and checks nothing.
"""

import argparse
from functools import partial
from pathlib import Path

from tests.measure.bench import Bench, run_bench, run_services
from tests.measure.bursts import measure_burst, run_in_turns
from tests.measure.command_line import build_parser, run_measurement
from tests.measure.delivery import Figures


async def measure(folder: Path, options: argparse.Namespace) -> Figures:
    with run_bench(folder, is_pinned=not options.unpinned) as bench:
        counts = options.processes
        work = {
            str(each): partial(measure_processes, bench, each, options.mails) for each in counts
        }
        return {"processes": await run_in_turns(options.rounds, work)}


async def measure_processes(bench: Bench, count: int, mails: int) -> Figures:
    async with run_services(bench, count):
        await measure_burst(bench, 1_000)  # sessions and caches as in service
        return await measure_burst(bench, mails)


def main() -> None:
    parser = build_parser(__doc__)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--mails", type=int, default=2_000)
    run_measurement("tests.measure.processes", parser.parse_args(), measure)


if __name__ == "__main__":
    main()
