"""What ical.js and node-ical read from calendar files: one process of Node for all of them."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.contract.node_packages import NODE, ensure_installed
from tests.support.calendars.reading import Reading

FILES = Path(__file__).parent / "node"
MAX_SECONDS = 120


def read_by_node(files: Mapping[str, bytes], cache: Path) -> Mapping[str, Mapping[str, Reading]]:
    """Return the readings of *files* by program and name of the file.

    *cache* is a folder in which the packages are installed unless they are there.
    """
    script = FILES / "read.mjs"
    modules = ensure_installed(cache, files=FILES)
    completed = subprocess.run(
        [NODE, modules.parent / script.name],
        input=json.dumps({name: file.decode() for name, file in files.items()}),
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=MAX_SECONDS,
    )
    assert completed.returncode == 0, completed.stderr
    found: Mapping[str, Mapping[str, Reading]] = json.loads(completed.stdout)
    return found
