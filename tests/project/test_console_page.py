"""docs/console.md shows the table of the operators' tasks, which says what was measured."""

import json
from pathlib import Path

from tests.measure.console_task_table import FILE, PEERS, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "console.md"


def test_the_table_of_steps_is_that_of_its_file() -> None:
    shown = PAGE.read_text(encoding="utf-8").partition("<!-- steps -->")[2]
    report = json.loads(FILE.read_text(encoding="utf-8"))

    assert shown.partition("<!-- /steps -->")[0].strip() == table(report)


def test_by_mouse_no_task_takes_more_steps_than_with_the_nearest_other() -> None:
    tasks = json.loads(FILE.read_text(encoding="utf-8"))["tasks"]

    assert tasks.keys() == PEERS.keys()
    others = {name: peer.steps for name, peer in PEERS.items() if peer.steps is not None}
    assert len(others) >= 10
    more = {name for name, steps in others.items() if tasks[name]["mouse"]["steps"] > steps}
    assert more == set()
