"""Run seeds of meetings that callers change under faults, and print one line of JSON for each.

    python -m tests.chaos.meetings [--seeds 4] [--minutes 4] [--json FILE]

The exit code is 1 if a promise was broken; `problems` lists them.
"""

import argparse
import asyncio
import json
import sys
from contextlib import nullcontext
from pathlib import Path

from gcsched.cli.commands.serve import find_loop_factory
from tests.chaos.meetings.scenario import Scenario, run_scenario
from tests.measure.delivery import a_temporary_folder, run_metadata


async def run(options: argparse.Namespace) -> int:
    command = " ".join(["python -m tests.chaos.meetings", *sys.argv[1:]])
    metadata, reports = {**run_metadata(), "command": command}, []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        scenario = Scenario(
            seed=seed,
            services=options.services,
            seconds=options.minutes * 60,
            meetings=options.meetings,
            speedup=options.speedup,
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
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--meetings", type=int, default=100)
    parser.add_argument("--services", type=int, default=3)
    parser.add_argument("--speedup", type=float, default=1.5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, help="keep logs and data of all seeds in this folder")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=find_loop_factory()) as runner:
        return runner.run(run(options))


if __name__ == "__main__":
    sys.exit(main())
