"""Show what each method of both clients raises, and after how long, when something is wrong.

    python -m tests.measure.client_failures [CONDITION …] [--json
        docs/measurements/client_failures.json]

Each condition is made on a real service and real stores. `health` is what `watch_health` reported
meanwhile, `recovered_after` how long after the condition the same clients had an answer again.
"""

import argparse
import asyncio
import json
from pathlib import Path

from gcsched.cli.commands.serve import find_loop_factory
from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.scenarios.client_conditions import CONDITIONS, a_stage
from tests.scenarios.client_failures import Seen, see
from tests.scenarios.method_calls import CallEnd

OVER_LIMIT = "over the limit of the client"


async def measure(folder: Path, names: list[str]) -> dict[str, Figures]:
    seen: dict[str, Figures] = {}
    async with a_stage(folder) as stage:
        for name in names:
            seen[name] = figures(await see(stage, CONDITIONS[name], is_limited=name == OVER_LIMIT))
            print(json.dumps({name: seen[name]}), flush=True)
    return seen


def figures(seen: Seen) -> Figures:
    methods: dict[str, Figures] = {}
    for end in seen.calls:
        methods.setdefault(end.method, {})[end.client] = call_figures(end)
    return {
        "methods": methods,
        "health": {
            client: [[health, round(seconds, 1)] for health, seconds in changes]
            for client, changes in seen.health.items()
        },
        "recovered_after": {
            client: round(seconds, 2) for client, seconds in seen.recovered_after.items()
        },
    }


def call_figures(end: CallEnd) -> Figures:
    found: Figures = {"raised": end.raised, "seconds": round(end.seconds, 2)}
    if end.reason:
        found["reason"] = end.reason
    if end.retry_after:
        found["retry_after"] = round(end.retry_after, 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("conditions", nargs="*", metavar="CONDITION")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    names = options.conditions or list(CONDITIONS)
    with a_temporary_folder() as folder, asyncio.Runner(loop_factory=find_loop_factory()) as runner:
        report = {
            "surroundings": run_metadata(),
            "conditions": runner.run(measure(folder, names)),
        }
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
