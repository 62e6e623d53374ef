"""Measure the shape of the package: files, functions, and the import graph between its folders.

    python -m tests.measure.structure --json docs/measurements/structure.json --label after

A room is a folder or a loose module directly below the package that is looked at; generated code
is left out. Floors are the rooms on the longest way down; where rooms import each other in a
circle, they share a floor and are counted as one circle.
"""

import argparse
import ast
import asyncio
import json
import statistics
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import cache
from pathlib import Path

import grimp

from tests.support.program_versions import describe_commit

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "gcsched"
GENERATED = f"{PACKAGE}.pb"
SHORT_FILE_LINES = 60
Imports = Mapping[str, AbstractSet[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="add the figures to this file")
    parser.add_argument("--label", default="now", help="the key of the figures in that file")
    options = parser.parse_args()
    figures = {
        "command": f"python -m tests.measure.structure --label {options.label}",
        "commit": asyncio.run(describe_commit(ROOT)),
        "files": measure_files(),
        "functions": measure_functions(),
        "rooms": {name: measure_imports(name) for name in packages()},
    }
    print(json.dumps(figures, indent=1))
    if options.json is not None:
        kept = json.loads(options.json.read_text()) if options.json.exists() else {}
        options.json.write_text(json.dumps(kept | {options.label: figures}, indent=1) + "\n")


def sources() -> list[Path]:
    return sorted(path for path in (ROOT / PACKAGE).rglob("*.py") if path.parent.name != "pb")


def measure_files() -> dict[str, object]:
    lines = {path: path.read_text().count("\n") for path in sources()}
    named = {path: count for path, count in lines.items() if path.name != "__init__.py"}
    largest = max(named, key=named.__getitem__)
    return {
        "loose_modules": sorted(path.name for path in named if path.parent.name == PACKAGE),
        "count": len(named),
        "under_60_lines": sum(count < SHORT_FILE_LINES for count in named.values()),
        "median_lines": statistics.median(named.values()),
        "largest_lines": named[largest],
        "largest": str(largest.relative_to(ROOT)),
    }


def measure_functions() -> dict[str, object]:
    sizes = sorted(
        (node.end_lineno - node.lineno + 1, f"{path.relative_to(ROOT)} {node.name}")
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None
    )
    lines = [size for size, _ in sizes]
    return {
        "count": len(lines),
        "median_lines": statistics.median(lines),
        "p90_lines": statistics.quantiles(lines, n=10)[-1],
        "longest_lines": lines[-1],
        "longest": sizes[-1][1],
    }


@cache
def import_graph() -> grimp.ImportGraph:
    return grimp.build_graph(PACKAGE, cache_dir=None)


def packages() -> list[str]:
    """Return the package and each package in it that has rooms of its own."""
    names = {f"{PACKAGE}.{path.parent.relative_to(ROOT / PACKAGE)}" for path in sources()}
    inner = sorted(name.replace("/", ".") for name in names if not name.endswith("."))
    return [PACKAGE, *(name for name in inner if len(components_of(name)) > 1)]


def components_of(package: str) -> list[str]:
    return sorted(room for room in import_graph().find_children(package) if room != GENERATED)


def measure_imports(package: str) -> dict[str, object]:
    arrows = {
        room: set(imported_components(room, components_of(package)))
        for room in components_of(package)
    }
    circles = cycles_of(arrows)
    return {
        "rooms": len(arrows),
        "arrows": sum(len(targets) for targets in arrows.values()),
        "floors": count_layers(arrows, circles),
        "circles": [sorted(circle) for circle in circles],
    }


def imported_components(room: str, rooms: list[str]) -> Iterator[str]:
    inside = {room, *import_graph().find_descendants(room)}
    for module in inside:
        for imported in import_graph().find_modules_directly_imported_by(module):
            for other in rooms:
                if other != room and (imported == other or imported.startswith(f"{other}.")):
                    yield other


def reachable_from(arrows: Imports, start: str) -> set[str]:
    found: set[str] = set()
    ahead = list(arrows[start])
    while ahead:
        if (room := ahead.pop()) not in found:
            found.add(room)
            ahead.extend(arrows[room])
    return found


def cycles_of(arrows: Imports) -> list[frozenset[str]]:
    """Return the groups of rooms each of which reaches every other one of its group."""
    ways = {room: reachable_from(arrows, room) for room in arrows}
    groups = {
        frozenset(other for other in arrows if other in ways[room] and room in ways[other])
        for room in arrows
    }
    return sorted((group for group in groups if group), key=sorted)


def count_layers(arrows: Imports, circles: list[frozenset[str]]) -> int:
    group_of = {room: circle for circle in circles for room in circle}

    def group(room: str) -> frozenset[str]:
        return group_of.get(room, frozenset({room}))

    @cache
    def height(rooms: frozenset[str]) -> int:
        targets = {group(target) for room in rooms for target in arrows[room]} - {rooms}
        return 1 + max((height(target) for target in targets), default=0)

    return max(height(group(room)) for room in arrows)


if __name__ == "__main__":
    main()
