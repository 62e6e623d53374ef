"""Cancel and reschedule jobs at the moment they are due, with two replicas, one frozen or not.

    python -m tests.measure.races [--seeds 3] [--jobs 2000] [--json docs/measurements/races.json]
    python -m tests.measure.races --claimed [--json docs/measurements/races_claimed.json]

With --claimed, each job is cancelled or its address suppressed while it is claimed and the relay is
slow. Prints one line per run; `first_problems` lists what was not as expected.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

from gcsched.cli.commands.serve import find_loop_factory
from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.scenarios import claimed_races
from tests.scenarios.races import Scenario, figures, run_scenario

COMMAND = " ".join(["python -m tests.measure.races", *sys.argv[1:]])


async def measure(folder: Path, options: argparse.Namespace) -> None:
    metadata, seen = {**run_metadata(), "command": COMMAND}, list[Figures]()
    for number, run in enumerate(runs(options)):
        run_folder = folder / str(number)
        run_folder.mkdir()
        seen.append(await run(run_folder))
        print(json.dumps(seen[-1]), flush=True)
        if options.json is not None:
            report = {"surroundings": metadata, "runs": seen}
            options.json.write_text(json.dumps(report, indent=1) + "\n")


def runs(options: argparse.Namespace) -> Iterator[Callable[[Path], Awaitable[Figures]]]:
    seeds = range(1, options.seeds + 1)
    if options.claimed:
        for seed in seeds:
            yield partial(race_claimed, claimed_races.Scenario(seed=seed, jobs=options.jobs))
        return
    for is_frozen in (False, True):
        for seed in seeds:
            yield partial(race, Scenario(seed=seed, jobs=options.jobs, is_frozen=is_frozen))


async def race(scenario: Scenario, folder: Path) -> Figures:
    return figures(await run_scenario(folder, scenario))


async def race_claimed(scenario: claimed_races.Scenario, folder: Path) -> Figures:
    return claimed_races.figures(await claimed_races.run_scenario(folder, scenario))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--claimed", action="store_true")
    parser.add_argument("--json", type=Path)
    with a_temporary_folder() as folder, asyncio.Runner(loop_factory=find_loop_factory()) as runner:
        runner.run(measure(folder, parser.parse_args()))


if __name__ == "__main__":
    main()
