"""Read random calendar files with all programs that there are, and time the writing of one.

    python -m tests.measure.calendar_files [--meetings 10000] [--seed 1] \\
        --json docs/measurements/calendar_files.json

Each meeting is written as an invitation, and a fifth of them as each other kind of file too. Counts
what each program refuses or reads otherwise, and the values that it is known to misread
(tests/support/calendars/reading.py), which are not compared. Prints figures and checks nothing.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Mapping
from ctypes.util import find_library
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

from msgspec.structs import replace

from gcsched.domain.calendar_file import (
    prepare_request,
    write_cancel,
    write_public_file,
    write_request,
)
from gcsched.domain.meeting import Person
from tests.measure.delivery import Figures, run_metadata
from tests.support.calendars import node_readers
from tests.support.calendars.events import ADA, LINKS, REVISION
from tests.support.calendars.exchange import problems_of
from tests.support.calendars.kinds import Case, Kind, random_cases
from tests.support.calendars.readers import read_in_libical, read_in_node, read_in_python
from tests.support.calendars.reading import Reading, differences, misread_by, what_to_read

ROUNDS, FILES_PER_ROUND = 15, 2_000
EXAMPLES = 5  # of what a program reads otherwise
EVERYDAY = replace(
    REVISION,
    location="Raum Köln, 2. OG",
    url=LINKS[0],
    description="Bring:\n- CV\n- 2 ideas",
)
LONGEST = replace(
    EVERYDAY,
    summary="Zusammenarbeit, größer; " * 10,
    location="Raum Köln, 2. OG; " * 14,
    url="https://meet.example.org/" + "x" * 1_975,
    description="Bitte mitbringen: Lebenslauf, Ideen; größer\n" * 177,
    organizer=Person("meet@example.org", "Núñez, Iñaki " * 19),
)
WITH_GUESTS = replace(
    EVERYDAY, guests=tuple(Person(f"guest.{i}@example.org", f"Guest {i}") for i in range(100))
)
OTHERS_SHARE = 5
Cases = Mapping[str, Case]


def count_differences(
    program: str, found: Mapping[str, Reading], cases: Cases
) -> dict[str, object]:
    compared, left_out, otherwise = Counter[str](), Counter[str](), list[str]()
    for name, case in cases.items():
        expected = what_to_read(case)
        known = misread_by(program, expected)
        compared.update(found[name].keys() - known - {"error"})
        left_out.update(found[name].keys() & known)
        otherwise += [f"{name}: {each}" for each in differences(program, found[name], expected)]
    return {
        "files": len(found),
        "refused": sum("error" in reading for reading in found.values()),
        "values_compared": compared.total(),
        "values_read_otherwise": len(otherwise),
        "examples": otherwise[:EXAMPLES],
        "known_misreadings_left_out": dict(sorted(left_out.items())),
    }


def read_everywhere(files: Mapping[str, bytes], cases: Cases) -> dict[str, object]:
    with TemporaryDirectory() as folder:
        readings = {
            **read_in_libical(files),
            **read_in_node(files, Path(folder)),
            **read_in_python(files),
        }
    return {
        program: count_differences(program, found, cases) for program, found in readings.items()
    }


def choose_cases(meetings: int, seed: int) -> Cases:
    others = [each for each in Kind if each is not Kind.REQUEST]
    return {
        **random_cases(meetings, seed=seed, kinds=[Kind.REQUEST]),
        **random_cases(meetings // OTHERS_SHARE, seed=seed, kinds=others),
    }


def describe_files(files: Mapping[str, bytes], cases: Cases) -> dict[str, object]:
    lines = [line for file in files.values() for line in file.split(b"\r\n")]
    return {
        "files": len(files),
        "by_kind": dict(Counter(str(case.kind) for case in cases.values())),
        "octets": sum(map(len, files.values())),
        "lines": len(lines),
        "longest_line_octets": max(map(len, lines)),
        "largest_file_octets": max(map(len, files.values())),
        "problems_by_grammar_and_exchange_profile": sum(
            bool(problems_of(file)) for file in files.values()
        ),
    }


def time_writing() -> dict[str, object]:
    """Measure microseconds of CPU time per file, in rounds of all variants."""
    variants: dict[str, Callable[[], object]] = {}
    for kind, revision in (("everyday", EVERYDAY), ("longest", LONGEST)):
        prepared = prepare_request(revision)
        variants[f"{kind}: whole"] = partial(write_request, revision, ADA)
        variants[f"{kind}: filled"] = partial(prepared.fill, ADA)
    variants["everyday: cancelled"] = partial(write_cancel, EVERYDAY, ADA, is_removal=False)
    variants["everyday: for a page"] = partial(write_public_file, EVERYDAY, is_cancelled=False)
    variants["with 100 guests: whole"] = partial(write_request, WITH_GUESTS, ADA)
    rounds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(ROUNDS):
        for name, write in variants.items():
            begin = process_time()
            for _ in range(FILES_PER_ROUND):
                write()
            rounds[name].append((process_time() - begin) / FILES_PER_ROUND * 1e6)
    return {
        name: {"median": round(median(found), 2), "rounds": [round(each, 2) for each in found]}
        for name, found in rounds.items()
    }


def versions() -> dict[str, str]:
    node = json.loads((node_readers.FILES / "package.json").read_text(encoding="utf-8"))
    wheels = {name: version(name) for name in ("icalendar", "ical", "vobject")}
    return {"libical": str(find_library("ical")), **node["dependencies"], **wheels}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meetings", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cases = choose_cases(arguments.meetings, arguments.seed)
    files = {name: case.write() for name, case in cases.items()}
    figures: Figures = {
        **run_metadata(),
        "versions": versions(),
        "written": describe_files(files, cases),
        "read": read_everywhere(files, cases),
        "microseconds_of_cpu_time_per_file": time_writing(),
    }
    shown = json.dumps(figures, indent=1, ensure_ascii=False)
    print(shown)
    if arguments.json:
        arguments.json.write_text(shown + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
