"""The long form of the chaos tests: any number of seeds, each on its own cluster.

    python -m tests.chaos [--seeds 10] [--minutes 5] [--services 3] [--json FILE]

Prints one line of JSON per seed; the exit code is 1 if any seed has `problems`.
"""

import argparse
import asyncio
import json
import sys
from contextlib import nullcontext
from pathlib import Path

from gcsched.cli.commands.serve import find_loop_factory
from tests.chaos.scenario import Scenario, run_scenario
from tests.measure.delivery import a_temporary_folder, run_metadata

POLICIES = ("hold", "resend")  # for even and for odd seeds


async def run(options: argparse.Namespace) -> int:
    command = " ".join(["python -m tests.chaos", *sys.argv[1:]])
    metadata, reports = {**run_metadata(), "command": command}, []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        scenario = Scenario(
            seed=seed,
            on_uncertain=POLICIES[seed % len(POLICIES)],
            services=options.services,
            seconds=options.minutes * 60,
            per_second=options.per_second,
        )
        with a_temporary_folder() if options.keep is None else nullcontext(options.keep) as parent:
            folder = parent / f"seed-{scenario.seed}"
            folder.mkdir(parents=True)
            reports.append(await run_scenario(scenario, folder))
        sys.stdout.write(json.dumps(reports[-1]) + "\n")
        sys.stdout.flush()
        if options.json is not None:
            document = {"surroundings": metadata, "runs": reports}
            options.json.write_text(json.dumps(document, indent=1) + "\n")
    return int(any(each["problems"] for each in reports))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--services", type=int, default=3)
    parser.add_argument("--per-second", type=float, default=30.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, help="keep logs and data of all seeds in this folder")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=find_loop_factory()) as runner:
        return runner.run(run(options))


if __name__ == "__main__":
    sys.exit(main())
