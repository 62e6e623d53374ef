"""Feed the mails of random histories of meetings to model attendees, and check the promises M1-M8.

    python -m tests.measure.model_attendee --json docs/measurements/model_attendee.json

Each variant of a calendar gets histories of its own. Every history has random calls, deliveries,
refusals, lost replies, slow and killed processes, and then comes to rest. After that, each rule in
turn is taken out, to see in how many histories the model notices it: a check that never fails says
nothing.
"""

import argparse
import asyncio
import json
import platform
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.meetings.calendars import Variant
from tests.support.meetings.history import History
from tests.support.meetings.promises import find_broken
from tests.support.meetings.sabotage import SABOTAGES, sabotaged
from tests.support.program_versions import ROOT, describe_commit

SHOWN = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--histories", type=int, default=2_000, help="for each variant")
    parser.add_argument("--sabotaged", type=int, default=1_000, help="for each rule taken out")
    parser.add_argument("--seed", type=int, default=1_000_000, help="the first one")
    options = parser.parse_args()
    began = time.process_time()
    figures: dict[str, object] = {
        "command": f"python -m tests.measure.model_attendee --histories {options.histories}"
        f" --sabotaged {options.sabotaged} --seed {options.seed}",
        "commit": asyncio.run(describe_commit(ROOT)),
        "python": platform.python_version(),
        "seed": options.seed,
    }
    seed = options.seed
    for variant in Variant:
        figures[variant.value] = measure(range(seed, seed + options.histories), [variant])
        seed += options.histories
        print(variant, json.dumps(figures[variant.value], indent=1), flush=True)
    figures["histories_that_notice_the_lack"] = {
        name: count_broken(name, range(seed, seed + options.sabotaged)) for name in SABOTAGES
    }
    figures["cpu_seconds"] = round(time.process_time() - began)
    print(json.dumps(figures, indent=1))
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


def measure(seeds: Sequence[int], variants: Sequence[Variant]) -> dict[str, object]:
    """Return what happened in the histories of *seeds*, and which promises were broken."""
    totals, broken = Counter[str](), dict[str, list[str]]()
    for seed in seeds:
        history = History(seed)
        history.run()
        is_early = history.world.now < history.truth.start
        found = find_broken(history, variants)
        if found:
            broken[str(seed)] = found
        totals.update(count(history))
        totals["histories at rest before the start"] += is_early
    return {
        "histories": len(seeds),
        "histories_with_a_broken_promise": len(broken),
        **dict(sorted(totals.items())),
        "broken": dict(list(broken.items())[:SHOWN]),
    }


def count(history: History) -> Iterator[str]:
    """Yield a name for each thing that happened in *history*."""
    world = history.world
    yield from ["changes by callers"] * world.commits
    yield from ["processes killed"] * history.kills
    yield from ["bodies begun"] * len(world.bodies)
    yield from ["mails arrived"] * len(world.received)
    for job in (*world.jobs.values(), *world.deleted.values()):
        yield f"jobs {job.state}"


def count_broken(name: str, seeds: Sequence[int]) -> int:
    """Return in how many histories of *seeds* a promise breaks without the rule *name*."""
    with sabotaged(name):
        found = sum(map(is_broken, seeds))
    print(name, found, flush=True)
    return found


def is_broken(seed: int) -> bool:
    history = History(seed)
    try:
        history.run()
        return bool(find_broken(history))
    except AssertionError:  # such as a plan that is never settled
        return True


if __name__ == "__main__":
    main()
