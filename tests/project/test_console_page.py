"""docs/console.md shows the table that the measurement of the operators' tasks makes."""

import json
from pathlib import Path

from tests.measure.console_task_table import FILE, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "console.md"


def test_the_table_of_steps_is_that_of_its_file() -> None:
    shown = PAGE.read_text(encoding="utf-8").partition("<!-- steps -->")[2]
    report = json.loads(FILE.read_text(encoding="utf-8"))

    assert shown.partition("<!-- /steps -->")[0].strip() == table(report)
