"""Tables on a terminal. Long words are folded; ids never are, however narrow the terminal."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table as RichTable
from rich.text import Text

from gcsched.cli.blocks import COLUMN_GAP, Block, Table
from gcsched.domain.caller_text import replace_unprintable

NARROWEST_COLUMN = 12


def print_blocks(blocks: Sequence[Block]) -> None:
    console = Console()
    narrowest = max((sum(least_widths(each)) for each in select_tables(blocks)), default=0)
    # A table wider than the terminal: the terminal wraps its lines, and rich cuts no id.
    console.width = max(console.width, narrowest)
    console.print(render(blocks), soft_wrap=True)


@contextmanager
def live_display(*, is_kept: bool = True) -> Iterator[Callable[[Sequence[Block]], None]]:
    """Yield a function that shows blocks in place of the previous ones, which stay if *is_kept*."""
    with Live(auto_refresh=False, vertical_overflow="visible", transient=not is_kept) as live:
        yield lambda blocks: live.update(render(blocks), refresh=True)


def select_tables(blocks: Sequence[Block]) -> list[Table]:
    return [block for block in blocks if isinstance(block, Table)]


def render(blocks: Sequence[Block]) -> Group:
    parts: list[Any] = []
    for block in blocks:
        parts += [""] if parts else []
        if isinstance(block, Table):
            parts.append(make_rich_table(block))
        else:
            parts.append(Text("\n".join(map(replace_unprintable, block.splitlines()))))
    return Group(*parts)


def least_widths(table: Table) -> list[int]:
    """Return the least width of each column, with the gap after it."""
    widest = [max(map(len, column)) for column in zip(*table.cells(), strict=True)]
    return [
        COLUMN_GAP + (width if number < table.uncut_columns else min(width, NARROWEST_COLUMN))
        for number, width in enumerate(widest)
    ]


def make_rich_table(table: Table) -> RichTable:
    rows = table.cells()
    heading = rows.pop(0) if table.columns else ()
    rich_table = RichTable(
        box=None, pad_edge=False, padding=(0, COLUMN_GAP, 0, 0), show_header=bool(heading)
    )
    for number, width in enumerate(least_widths(table)):
        rich_table.add_column(
            Text(heading[number]) if heading else "",
            no_wrap=number < table.uncut_columns,
            overflow="fold",
            min_width=width - COLUMN_GAP,
        )
    for row in rows:
        rich_table.add_row(*map(Text, row))
    return rich_table
