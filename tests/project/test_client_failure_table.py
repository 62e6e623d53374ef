"""docs/clients.md shows the table that the measurement of the clients' failures makes."""

import json
from pathlib import Path

from tests.measure.client_failure_table import FILE, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "clients.md"


def test_the_table_is_that_of_its_file() -> None:
    shown = PAGE.read_text(encoding="utf-8").partition("<!-- failures -->")[2]
    report = json.loads(FILE.read_text(encoding="utf-8"))

    assert shown.partition("<!-- /failures -->")[0].strip() == table(report)
