"""Measure the shape of the package: files, functions, and the import graph between its folders.

    python -m tests.measure.structure --json docs/measurements/structure.json --label after

The components of a package are the packages and modules directly below it, generated code left
out. In the JSON, `rooms` counts them, `arrows` the imports between them, `floors` the components on
the longest chain of imports, and `circles` lists the import cycles; the components of a cycle count
as one in `floors`. The keys stay as they are, so that the labels of one file can be compared.
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
    """Return the package and each package in it that has more than one component."""
    names = {f"{PACKAGE}.{path.parent.relative_to(ROOT / PACKAGE)}" for path in sources()}
    inner = sorted(name.replace("/", ".") for name in names if not name.endswith("."))
    return [PACKAGE, *(name for name in inner if len(components_of(name)) > 1)]


def components_of(package: str) -> list[str]:
    return sorted(each for each in import_graph().find_children(package) if each != GENERATED)


def measure_imports(package: str) -> dict[str, object]:
    components = components_of(package)
    imports = {each: set(find_imported(each, components)) for each in components}
    cycles = cycles_of(imports)
    return {
        "rooms": len(imports),
        "arrows": sum(len(targets) for targets in imports.values()),
        "floors": count_layers(imports, cycles),
        "circles": [sorted(cycle) for cycle in cycles],
    }


def find_imported(component: str, components: list[str]) -> Iterator[str]:
    """Yield the other components that a module of *component* imports."""
    for module in {component, *import_graph().find_descendants(component)}:
        for imported in import_graph().find_modules_directly_imported_by(module):
            for other in components:
                if other != component and (imported == other or imported.startswith(f"{other}.")):
                    yield other


def reachable_from(imports: Imports, start: str) -> set[str]:
    found: set[str] = set()
    ahead = list(imports[start])
    while ahead:
        if (component := ahead.pop()) not in found:
            found.add(component)
            ahead.extend(imports[component])
    return found


def cycles_of(imports: Imports) -> list[frozenset[str]]:
    """Return the sets of components each of which reaches all others of its set."""
    reached = {each: reachable_from(imports, each) for each in imports}
    groups = {
        frozenset(other for other in imports if other in reached[each] and each in reached[other])
        for each in imports
    }
    return sorted((group for group in groups if group), key=sorted)


def count_layers(imports: Imports, cycles: list[frozenset[str]]) -> int:
    """Return the length of the longest chain of imports; a cycle counts as one layer."""
    cycle_of = {component: cycle for cycle in cycles for component in cycle}

    def group(component: str) -> frozenset[str]:
        return cycle_of.get(component, frozenset({component}))

    @cache
    def height(members: frozenset[str]) -> int:
        targets = {group(target) for each in members for target in imports[each]} - {members}
        return 1 + max((height(target) for target in targets), default=0)

    return max(height(group(component)) for component in imports)


if __name__ == "__main__":
    main()
