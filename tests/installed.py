"""Which installed modules belong to the base install of gcsched, and which to its extras."""

import re
from importlib import metadata

from packaging.requirements import Requirement


def modules_beyond_the_client() -> list[str]:
    """Return the top-level modules of all that is installed beside `pip install gcsched`."""
    base = closure("gcsched")
    return sorted(
        module
        for module, owners in metadata.packages_distributions().items()
        if base.isdisjoint(map(canonical, owners))
    )


def closure(name: str) -> set[str]:
    """Return *name* and the distributions that it needs, without extras, as this machine does."""
    found, todo = set(), [name]
    while todo:
        each = canonical(todo.pop())
        if each not in found:
            found.add(each)
            todo += needs(each)
    return found


def needs(name: str) -> list[str]:
    required = [Requirement(line) for line in metadata.requires(name) or []]
    return [
        each.name for each in required if not each.marker or each.marker.evaluate({"extra": ""})
    ]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
