"""Run another commit and this one on the same stores, under load, while processes are replaced.

    python -m tests.measure.rolling --old COMMIT [--seconds 60] [--seed 1] [--seeds 1] [--json FILE]

Of three processes, one after the other is killed or stopped and replaced by the other version.
Prints one line of JSON per seed; `problems` lists what was not as expected, and the exit code is 1
if there were any. OLD may be a folder.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from gcsched.cli.commands.serve import find_loop_factory
from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.scenarios.rolling import Scenario, figures, run_scenario
from tests.support.program_versions import Version, current_version, other_version

COMMAND = " ".join(["python -m tests.measure.rolling", *sys.argv[1:]])


async def measure(folder: Path, options: argparse.Namespace) -> int:
    versions: tuple[Version, Version] = (
        await other_version(options.old, folder),
        await current_version(),
    )
    for version in versions:
        await version.check()
    metadata, seen = {**run_metadata(), "command": COMMAND}, list[Figures]()
    for seed in range(options.seed, options.seed + options.seeds):
        scenario = Scenario(
            seed=seed,
            seconds=options.seconds,
            per_second=options.per_second,
            versions=versions,
        )
        run_folder = (options.keep or folder) / f"seed-{seed}"
        run_folder.mkdir(parents=True)
        seen.append(figures(await run_scenario(run_folder, scenario)))
        print(json.dumps(seen[-1]), flush=True)
        if options.json is not None:
            report = {"surroundings": metadata, "runs": seen}
            options.json.write_text(json.dumps(report, indent=1) + "\n")
    return int(any(each["problems"] for each in seen))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old", required=True, help="a commit, or a folder with a checkout")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--per-second", type=float, default=40.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, help="keep logs and data in this folder")
    with a_temporary_folder() as folder, asyncio.Runner(loop_factory=find_loop_factory()) as runner:
        return runner.run(measure(folder, parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
