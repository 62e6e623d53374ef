"""Output for people and for programs: tables on a terminal, plain columns elsewhere, or JSON."""

import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from gcsched.cli.blocks import COLUMN_GAP, Block, Table
from gcsched.domain.caller_text import replace_unprintable

if TYPE_CHECKING:
    from google.protobuf.message import Message


def print_message(
    chosen: Namespace, message: "Message", blocks: Callable[[], Sequence[Block]]
) -> None:
    if chosen.json:
        print_lines(as_json(message))
    else:
        print_blocks(blocks())


def as_json(message: "Message") -> str:
    """Return *message* as one line of ASCII, with all fields except absent messages."""
    import json

    return json.dumps(as_dict(message))


def as_dict(message: "Message") -> dict[str, Any]:
    """Return *message* as ProtoJSON, with the field names of the contract."""
    from google.protobuf import json_format

    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def print_blocks(blocks: Sequence[Block]) -> None:
    if is_terminal():
        from gcsched.cli import terminal

        terminal.print_blocks(blocks)
    else:
        print_lines(*format_plain(blocks))


def is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()  # None after `>&-`


def print_lines(*lines: str) -> None:
    # A terminal that lacks a character gets a question mark, not a traceback.
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    for line in lines:
        print(line.encode(encoding, "replace").decode(encoding))


def print_note(line: str) -> None:
    """Print a note for people, which does not belong to the output, to standard error."""
    print(line, file=sys.stderr)


def format_plain(blocks: Iterable[Block]) -> list[str]:
    lines: list[str] = []
    for block in blocks:
        lines += [""] if lines else []
        if isinstance(block, str):
            lines += [replace_unprintable(line) for line in block.splitlines()]
        else:
            lines += align_columns(block)
    return lines


def align_columns(table: Table) -> list[str]:
    rows = table.cells()
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        (COLUMN_GAP * " ")
        .join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        .rstrip()
        for row in rows
    ]
