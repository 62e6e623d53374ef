"""Run the scenario of random faults with seeds that the test suite does not use.

    python -m tests.measure.random_faults [--seeds 20] [--json docs/measurements/fates.json]

Prints one line per seed; `problems` lists what was not as expected.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from gcsched.cli.commands.serve import find_loop_factory
from gcsched.dev.stores.valkey import ValkeyOptions
from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.scenarios.random_faults import Scenario, figures, run_scenario
from tests.support.stores import DATABASES, own_mongod, own_valkey, with_database, with_number

FIRST_SEED = 101
POLICIES = ("resend", "hold")
COMMAND = " ".join(["python -m tests.measure.random_faults", *sys.argv[1:]])


async def measure(folder: Path, options: argparse.Namespace) -> None:
    metadata, seen = {**run_metadata(), "command": COMMAND}, list[Figures]()
    async with (
        own_mongod(folder) as mongo,
        own_valkey(folder, ValkeyOptions(databases=DATABASES)) as valkey,
    ):
        for number in range(options.seeds):
            scenario = Scenario(
                seed=FIRST_SEED + number,
                on_uncertain=POLICIES[number % len(POLICIES)],
                stores=(
                    with_database(mongo.uri, f"random_faults_{number}"),
                    with_number(valkey.uri, number + 1),
                ),
            )
            seen.append(figures(await run_scenario(scenario)))
            print(json.dumps(seen[-1]), flush=True)
            if options.json is not None:
                write_json(options.json, {"surroundings": metadata, "runs": seen})


def write_json(file: Path, seen: Figures) -> None:
    file.write_text(json.dumps(seen, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--json", type=Path)
    with a_temporary_folder() as folder, asyncio.Runner(loop_factory=find_loop_factory()) as runner:
        runner.run(measure(folder, parser.parse_args()))


if __name__ == "__main__":
    main()
