"""Measure mongod's CPU time for claims, fences, outcomes and looks, of another commit and this one.

    python -m tests.measure.fence --old COMMIT [--jobs 6400] [--rounds 5] [--json FILE]

The versions take turns on one mongod, each on a database of its own. Every statement waits for the
one before it, as a group waits for its write. `upgraded` is this version on a store that still has
the index on `lease` of the version before. Prints medians in µs of a job, in ms of a look.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from gcsched.dev.stores.mongod import Mongod, run_mongod
from tests.measure.delivery import ROOT, Figures, a_temporary_folder, run_metadata
from tests.support.program_versions import Version, current_version, other_version

COMMAND = " ".join(["python -m tests.measure.fence", *sys.argv[1:]])
PROGRAM = Path(__file__).with_name("fence_statements.py")
GROUPS = (13, 64)
SETTLE_SECONDS = 0.3  # for the flush of what the phase before has written


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A *version* on its own database; *extra* are further arguments of its program."""

    name: str
    version: Version
    extra: tuple[str, ...] = ()


async def measure(folder: Path, options: argparse.Namespace) -> Figures:
    old = await other_version(options.old, folder)
    new = await current_version()
    cases = [
        Case(name="old", version=old),
        Case(name="new", version=new),
        Case(name="upgraded", version=new, extra=("--lease-index",)),
    ]
    found: dict[str, list[float]] = defaultdict(list)
    async with run_mongod(folder / "mongod") as mongod:
        for number in range(options.rounds):
            first = number % len(cases)
            for case in cases[first:] + cases[:first]:
                for group in GROUPS:
                    seen = await run_case(mongod, case, group, options.jobs, number)
                    for phase, cost in seen.items():
                        found[f"{case.name}, {phase}"].append(cost)
    versions = {"old": old.commit, "new": new.commit}
    return {**versions, "jobs": options.jobs, "rounds": options.rounds, **summarize(found)}


async def run_case(
    mongod: Mongod, case: Case, group: int, jobs: int, number: int
) -> dict[str, float]:
    """Run one version's program; return mongod's CPU time for each of its phases."""
    name = f"round_{number}_{case.name}_{group}"
    uri = mongod.uri.replace("/gcsched?", f"/{name}?")
    arguments = [uri, "--group", str(group), "--jobs", str(jobs), *case.extra]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{case.version.folder}{os.pathsep}{ROOT}",
        "PYTHONSAFEPATH": "1",
    }
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, str(PROGRAM), *arguments),
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    process, costs, before = psutil.Process(mongod.pid), dict[str, float](), 0.0
    while line := (await child.stdout.readline()).decode().strip():
        phase, is_done, count = line.split()
        await asyncio.sleep(SETTLE_SECONDS)
        spent = sum(process.cpu_times()[:2])
        if is_done == "done":
            costs[phase] = (spent - before) / int(count)
        before = spent
        child.stdin.write(b"\n")
    assert await child.wait() == 0
    return describe(costs, group)


def describe(costs: Mapping[str, float], group: int) -> dict[str, float]:
    return {
        (f"{phase}, ms" if phase == "look" else f"{phase} of {group}, us"): cost
        * (1e3 if phase == "look" else 1e6)
        for phase, cost in costs.items()
    }


def summarize(found: Mapping[str, list[float]]) -> Figures:
    return {
        name: {
            "median": round(statistics.median(values), 1),
            "range": [round(min(values), 1), round(max(values), 1)],
        }
        for name, values in sorted(found.items())
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old", required=True, help="a commit")
    parser.add_argument("--jobs", type=int, default=6400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with a_temporary_folder() as folder:
        figures = asyncio.run(measure(folder, options))
    report = {"surroundings": {**run_metadata(), "command": COMMAND}, "mongod_cpu": figures}
    print(json.dumps(report, indent=1))
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
