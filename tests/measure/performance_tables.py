"""Make the tables of docs/performance.md from the files of the measurements on a bench.

    python -m tests.measure.performance_tables [NAME …]

Prints the tables whose files exist; tests/project/test_performance_page.py compares the page with
them.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

MEASUREMENTS = Path(__file__).resolve().parents[2] / "docs" / "measurements"
HUNDRED_MILLION = 100_000_000
RANDOM_INDEXES = ("dedup_key", "state_due_id", "empid_id", "email_id", "folded_id")
Figures = Mapping[str, Any]


def median(figures: Figures, *names: str) -> float:
    """Return the median of a number in a summary."""
    for name in ("summary", *names):
        figures = figures[name]
    return float(figures["median"])


def format_spread(figures: Figures, *names: str) -> str:
    """Return the median of a number, and its least and largest value."""
    for name in ("summary", *names):
        figures = figures[name]
    return f"{figures['median']:,.0f} ({figures['min']:,.0f} to {figures['max']:,.0f})"


def make_table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines).replace("| --- ", "|---")


def transpose(head: list[str], columns: list[list[str]]) -> str:
    """Return a table with one column for each measured case; the first row is its head."""
    first, *rows = [list(cells) for cells in zip(head, *columns, strict=True)]
    return make_table(first, rows)


def growth(measured: Figures) -> str:
    names = [
        "waiting jobs",
        "entries examined by a claim and by a sweep, nothing due",
        "the same, 5,000 jobs due",
        "µs of CPU for a call: gcsched, mongod",
        "µs of CPU for a mail: gcsched, mongod",
        "mails per second, median (range)",
        "% of a core with nothing due: gcsched, mongod",
        "bytes of a job on disk: document, indexes",
    ]
    return transpose(names, [growth_column(*case) for case in measured["growth"].items()])


def growth_column(waiting: str, case: Figures) -> list[str]:
    def count_examined(when: str) -> str:
        found = case["examined"][when]
        return ", ".join(str(found[step]["keys_examined"]) for step in ("claim", "sweep"))

    def cpu(what: str) -> str:
        return ", ".join(f"{median(case, what, part):.0f}" for part in ("gcsched", "mongod"))

    idle, sizes = case["idle"]["cpu_percent"], case["bytes_per_job"]
    return [
        f"{int(waiting):,}",
        count_examined("nothing_due"),
        count_examined("5000_due"),
        cpu("cpu_us_per_call"),
        cpu("cpu_us_per_mail"),
        format_spread(case, "mails_per_s"),
        f"{idle['gcsched']:.1f}, {idle['mongod']:.1f}",
        f"{sizes['document_on_disk']:.0f}, {sizes['indexes_in_all']:.0f}",
    ]


BURST_HEAD = [
    "mails per second, median (range)",
    "µs of CPU for a mail: gcsched, mongod",
    "last mail after",
]


def due_at_once(measured: Figures) -> str:
    cases = sorted(measured["due_at_once"].items(), key=lambda item: int(item[0]))
    return make_table(["mails due at once", *BURST_HEAD], [burst_row(*case) for case in cases])


def processes(measured: Figures) -> str:
    head = ["processes", *BURST_HEAD, "share of a process, least to largest"]
    rows = []
    for count, case in measured["processes"].items():
        shares = [share for each in case["rounds"] for share in each["share_of_each"]]
        rows.append([*burst_row(count, case), f"{min(shares):.2f} to {max(shares):.2f}"])
    return make_table(head, rows)


def burst_row(name: str, case: Figures) -> list[str]:
    mean = case["summary"]["cpu_us_per_mail"]  # the mean, because small bursts use few ticks
    return [
        f"{int(name):,}",
        format_spread(case, "mails_per_s"),
        ", ".join(f"{mean[part]['mean']:.0f}" for part in ("gcsched", "mongod")),
        f"{median(case, 'last_mail_late_s'):.2f} s",
    ]


def far(measured: Figures) -> str:
    head = ["sessions", "mails per second, median (range)", "share of one mail a round trip"]
    cases = {name: case for name, case in measured["far"].items() if name != "delay_s"}
    rows = [
        [
            name,
            format_spread(case, "mails_per_s"),
            f"{median(case, 'share_of_one_mail_a_round_trip'):.2f}",
        ]
        for name, case in cases.items()
    ]
    return make_table(head, rows)


def every_second(measured: Figures) -> str:
    head = ["from second", "50 % within", "99 % within", "all within"]
    rows = [
        [
            str(each["from_second"]),
            *(f"{each[name]:,.0f} ms" for name in ("p50_ms", "p99_ms", "max_ms")),
        ]
        for each in measured["every_second"]["windows"]
    ]
    return make_table(head, rows)


def extrapolation(measured: Figures) -> str:
    """Return what HUNDRED_MILLION jobs take if each takes what it takes in the largest case."""
    waiting = max(measured["growth"], key=int)
    sizes = measured["growth"][waiting]["bytes_per_job"]
    random_places = sum(sizes["indexes"][name] for name in RANDOM_INDEXES)
    rows = [
        ("documents on disk", sizes["document_on_disk"]),
        ("indexes on disk", sizes["indexes_in_all"]),
        ("of them those that an insert touches at a random place", random_places),
    ]
    head = ["", f"{int(waiting):,} waiting, measured", f"{HUNDRED_MILLION:,} waiting, extrapolated"]
    counts = (int(waiting), HUNDRED_MILLION)
    return make_table(
        head,
        [[name, *(f"{each * count / 1e9:,.1f} GB" for count in counts)] for name, each in rows],
    )


Maker = Callable[[Figures], str]
TABLES: Mapping[str, tuple[str, Maker]] = {
    "growth": ("growth.json", growth),
    "extrapolation": ("growth.json", extrapolation),
    "due_at_once": ("due_at_once.json", due_at_once),
    "processes": ("processes.json", processes),
    "far": ("far.json", far),
    "every_second": ("every_second.json", every_second),
}


def make_tables() -> Iterator[tuple[str, str]]:
    """Yield the name and the table of each file that exists."""
    for name, (file, make) in TABLES.items():
        if (path := MEASUREMENTS / file).exists():
            yield name, make(json.loads(path.read_text(encoding="utf-8")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", default=list(TABLES))
    names = parser.parse_args().names
    for name, table in make_tables():
        if name in names:
            print(f"{name}\n\n{table}\n")


if __name__ == "__main__":
    main()
