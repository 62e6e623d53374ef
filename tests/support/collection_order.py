"""The order of the tests: random, but the longest files come first, one of them on each worker."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LONGEST_FILES = [
    "e2e/test_random_faults.py",
    "e2e/test_serve.py",
    "e2e/test_store_failures.py",
    "chaos/test_chaos.py",
    "cli/commands/test_dev.py",
    "project/test_environments.py",
]


def longest_first(items: Sequence[pytest.Item], workers: int) -> Iterator[pytest.Item]:
    """Yield *items* so that the share of each worker starts with a long file.

    A worker that started a long file last would keep all others waiting. xdist's ``worksteal``
    first deals even, contiguous shares.
    """
    long = [[item for item in items if item.path == ROOT / name] for name in LONGEST_FILES]
    rest = [item for item in items if item.path not in {ROOT / name for name in LONGEST_FILES}]
    left = len(items)
    for worker in range(workers):
        share = left // (workers - worker)
        left -= share
        first = [item for file in long[worker::workers] for item in file]
        fill = max(0, share - len(first))
        yield from first
        yield from rest[:fill]
        del rest[:fill]
    yield from rest
