"""Make the table of docs/clients.md from the file of tests/measure/client_failures.py.

    python -m tests.measure.client_failure_table

Prints it; tests/project/test_client_failure_table.py compares the page with it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.measure.performance_tables import MEASUREMENTS, make_table

FILE = MEASUREMENTS / "client_failures.json"
HEAD = ["the service is", "raised, and after how many seconds", "`watch_health`", "answers again"]
CONDITIONS = {
    "healthy": "as it should be",
    "paused": "paused",
    "stopped": "stopped",
    "restarted": "stopped and started again",
    "killed and restarted": "killed and started again",
    "frozen": "frozen",
    "out of memory for calls": "out of memory for calls",
    "over the limit of the client": "called more often than the client may",
    "without MongoDB": "without MongoDB",
    "with a silent MongoDB": "with a MongoDB that does not answer",
}
Figures = Mapping[str, Any]


def table(report: Figures) -> str:
    rows = [
        [
            CONDITIONS[name],
            describe_calls(seen["methods"]),
            describe_health(seen["health"]),
            f"after {max(seen['recovered_after'].values()):.1f} s",
        ]
        for name, seen in report["conditions"].items()
    ]
    return make_table(HEAD, rows)


def describe_calls(methods: Figures) -> str:
    """Return each error with its methods, the one of most methods first."""
    groups: dict[tuple[str, str], dict[str, list[float]]] = {}
    for method, ends in methods.items():
        for end in ends.values():
            group = groups.setdefault((end["raised"], end.get("reason", "")), {})
            group.setdefault(method, []).append(end["seconds"])
    most, *others = sorted(groups.items(), key=lambda each: -len(each[1]))
    named = [
        f"{', '.join(f'`{method}`' for method in group)}: {describe_error(key, group)}"
        for key, group in others
    ]
    return "; ".join([describe_error(*most), *named])


def describe_error(key: tuple[str, str], seconds: Mapping[str, list[float]]) -> str:
    raised, reason = key
    error = f"`{raised}`" if raised else "an answer"
    values = [value for each in seconds.values() for value in each]
    least, most = f"{min(values):.1f}", f"{max(values):.1f}"
    after = most if least == most else f"{least} to {most}"
    return f"{error} (`{reason}`), {after}" if reason else f"{error}, {after}"


def describe_health(health: Figures) -> str:
    """Return the changes that the client with the most of them reported."""
    changes = max(health.values(), key=len)
    if not changes:
        return "no change"
    return ", ".join(f"`{state}` after {seconds:.1f} s" for state, seconds in changes)


if __name__ == "__main__":
    print(table(json.loads(Path(FILE).read_text(encoding="utf-8"))))
