"""Measure bursts of several sizes: mails per second, CPU time per mail, and the last one's delay.

    python -m tests.measure.due_at_once [--counts 100 5000] [--rounds N]
        [--json docs/measurements/due_at_once.json]

Small bursts are repeated more often, because CPU time is counted in steps of 10 ms. Prints figures
and checks nothing.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.measure.bench import Bench, run_bench, run_services
from tests.measure.bursts import Measurement, measure_burst, run_in_turns
from tests.measure.command_line import build_parser, run_measurement
from tests.measure.delivery import Figures

SMALL, LARGE, ROUNDS_FACTOR = range(1_000), range(1_000, 10**9), 5


async def measure(folder: Path, options: argparse.Namespace) -> Figures:
    with run_bench(folder, is_pinned=not options.unpinned) as bench:
        async with run_services(bench):
            await measure_burst(bench, 1_000)  # sessions, caches and indexes as in service
            seen = await run_in_turns(options.rounds, bursts(bench, LARGE, options.counts))
            rounds = options.rounds * ROUNDS_FACTOR
            seen |= await run_in_turns(rounds, bursts(bench, SMALL, options.counts))
    return {"due_at_once": seen}


def bursts(bench: Bench, sizes: range, counts: Sequence[int]) -> dict[str, Measurement]:
    """Return the measurements of those of *counts* that are in *sizes*."""
    return {str(each): partial(measure_burst, bench, each) for each in counts if each in sizes}


def main() -> None:
    parser = build_parser(__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 5_000])
    run_measurement("tests.measure.due_at_once", parser.parse_args(), measure)


if __name__ == "__main__":
    main()
