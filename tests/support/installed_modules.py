"""Find which installed modules the base install of gcsched does not need."""

import re
from importlib import metadata

from packaging.requirements import Requirement


def modules_beyond_the_client() -> list[str]:
    """Return the top-level modules that `pip install gcsched` alone would not install."""
    base = find_dependencies("gcsched")
    return sorted(
        module
        for module, owners in metadata.packages_distributions().items()
        if base.isdisjoint(map(canonical_name, owners))
    )


def find_dependencies(name: str, *extras: str) -> set[str]:
    """Return *name* with *extras* and all distributions that it requires on this machine."""
    found: set[tuple[str, frozenset[str]]] = set()
    todo = [(name, frozenset(extras))]
    while todo:
        each = todo.pop()
        if each not in found:
            found.add(each)
            todo += find_requirements(*each)
    return {name for name, _ in found}


def find_requirements(name: str, extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    required = [Requirement(line) for line in metadata.requires(name) or []]
    return [
        (canonical_name(each.name), frozenset(each.extras))
        for each in required
        if each.marker is None
        or any(each.marker.evaluate({"extra": extra}) for extra in extras | {""})
    ]


def canonical_name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
