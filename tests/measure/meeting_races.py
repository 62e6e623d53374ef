"""Move or cancel meetings at the moment at which their reminders are due, with two replicas.

    python -m tests.measure.meeting_races [--seeds 1] [--meetings 2000] [--json FILE]

The default file is docs/measurements/meeting_races.json. Prints one line per run; `problems` counts
reminders that left after the answer OK and were not counted in it.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from gcsched.cli.commands.serve import find_loop_factory
from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.scenarios.meeting_races import Scenario, figures, run_scenario

COMMAND = " ".join(["python -m tests.measure.meeting_races", *sys.argv[1:]])


async def measure(folder: Path, options: argparse.Namespace) -> int:
    metadata, seen = {**run_metadata(), "command": COMMAND}, list[Figures]()
    for seed in range(1, options.seeds + 1):
        run_folder = folder / str(seed)
        run_folder.mkdir()
        scenario = Scenario(seed=seed, meetings=options.meetings)
        seen.append(figures(await run_scenario(run_folder, scenario)))
        print(json.dumps(seen[-1]), flush=True)
        if options.json is not None:
            report = {"surroundings": metadata, "runs": seen}
            options.json.write_text(json.dumps(report, indent=1) + "\n")
    return int(any(each["problems"] for each in seen))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--meetings", type=int, default=2000)
    parser.add_argument("--json", type=Path)
    with a_temporary_folder() as folder, asyncio.Runner(loop_factory=find_loop_factory()) as runner:
        return runner.run(measure(folder, parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
