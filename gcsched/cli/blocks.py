"""What commands show to people: texts and tables, wherever they are written."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gcsched.domain.caller_text import replace_unprintable

EMPTY_CELL = "-"
SPACES = re.compile(r" {2,}")
COLUMN_GAP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Cells in columns; without *columns* there is no heading. The first *uncut_columns* are never cut."""

    rows: Sequence[Sequence[str]]
    columns: Sequence[str] = ()
    uncut_columns: int = 1

    def cells(self) -> list[list[str]]:
        """Give all rows, the heading first, fit to be shown."""
        heading = [self.columns] if self.columns else []
        return [[format_cell(cell) or EMPTY_CELL for cell in row] for row in [*heading, *self.rows]]


Block = Table | str


def format_cell(text: str) -> str:
    """Return *text* without what would look like the gap before another column."""
    return SPACES.sub(" ", replace_unprintable(text))
