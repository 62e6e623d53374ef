"""Texts and tables that commands show to people, on a terminal or elsewhere."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gcsched.domain.caller_text import replace_unprintable

EMPTY_CELL = "-"
SPACES = re.compile(r" {2,}")
COLUMN_GAP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of cells, with a heading if there are *columns*.

    The first *uncut_columns* are never cut, however narrow the terminal is.
    """

    rows: Sequence[Sequence[str]]
    columns: Sequence[str] = ()
    uncut_columns: int = 1

    def cells(self) -> list[list[str]]:
        """Return all rows, the heading first, safe to print."""
        heading = [self.columns] if self.columns else []
        return [[format_cell(cell) or EMPTY_CELL for cell in row] for row in [*heading, *self.rows]]


Block = Table | str


def format_cell(text: str) -> str:
    """Return *text* with single spaces only: two would look like the gap between columns."""
    return SPACES.sub(" ", replace_unprintable(text))
