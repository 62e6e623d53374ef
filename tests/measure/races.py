"""Cancel and move jobs at the moment they are due, with two replicas, one of them frozen or not.

    python -m tests.measure.races [--seeds 3] [--jobs 2000] [--json docs/measurements/races.json]

Prints one line per run; `first_problems` lists what was not as it has to be.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from gcsched.cli.serve import fastest_loop
from tests.measure.spine import Figures, a_folder, surroundings
from tests.races import Scenario, figures, play

COMMAND = " ".join(["python -m tests.measure.races", *sys.argv[1:]])


async def measure(folder: Path, options: argparse.Namespace) -> None:
    before, seen = {**surroundings(), "command": COMMAND}, list[Figures]()
    for is_frozen in (False, True):
        for seed in range(1, options.seeds + 1):
            scenario = Scenario(seed=seed, jobs=options.jobs, is_frozen=is_frozen)
            own = folder / f"{seed}-{is_frozen}"
            own.mkdir()
            seen.append(figures(await play(own, scenario)))
            print(json.dumps(seen[-1]), flush=True)
            if options.json is not None:
                kept = {"surroundings": before, "runs": seen}
                options.json.write_text(json.dumps(kept, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--json", type=Path)
    with a_folder() as folder, asyncio.Runner(loop_factory=fastest_loop()) as runner:
        runner.run(measure(folder, parser.parse_args()))


if __name__ == "__main__":
    main()
