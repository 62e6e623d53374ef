"""The order of the tests: random, but the longest files come first, one of them on each worker."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LONGEST_FILES = [
    "web/console/test_pages_chromium.py",
    "e2e/test_random_faults.py",
    "e2e/test_store_failures.py",
    "chaos/test_chaos.py",
    "web/console/test_forms_chromium.py",
    "cli/commands/test_dev.py",
    "cli/commands/test_bench.py",
    "web/console/test_keys_chromium.py",
    "e2e/test_stop.py",
    "project/test_environments.py",
    "e2e/test_unwritable_log.py",
    "e2e/test_clocks.py",
    "web/test_isolation.py",
    "e2e/test_serve.py",
    "web/test_relay_readiness.py",
    "e2e/test_domains.py",
    "adapters/mongo/test_write_failures.py",
    "e2e/test_majority.py",
    "rpc/test_status_of_a_service.py",
    "web/test_probes.py",
    "e2e/test_races.py",
    "web/test_unconfirmed.py",
    "rpc/test_poison.py",
    "project/test_api_examples.py",
    "project/test_words.py",
]


def longest_first(items: Sequence[pytest.Item], workers: int) -> Iterator[pytest.Item]:
    """Yield *items* so that the share of each worker starts with a long file.

    A worker that started a long file last would keep all others waiting. xdist's ``worksteal``
    first deals even, contiguous shares.
    """
    long: dict[Path, list[pytest.Item]] = {ROOT / name: [] for name in LONGEST_FILES}
    rest: list[pytest.Item] = []
    for item in items:
        long.get(item.path, rest).append(item)
    files = [*long.values()]
    left = len(items)
    for worker in range(workers):
        share = left // (workers - worker)
        left -= share
        first = [item for file in files[worker::workers] for item in file]
        fill = max(0, share - len(first))
        yield from first
        yield from rest[:fill]
        del rest[:fill]
    yield from rest
