"""Lines arrive in order; a flood, a slow reader or no reader at all blocks nothing."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from gcsched.dev.line_printer import MAX_QUEUED_LINES, LinePrinter, shorten_printable


@dataclass(frozen=True)
class Pipe:
    reader: int
    writer: int

    def read(self) -> list[str]:
        """Close the writing end and read all lines."""
        os.close(self.writer)
        with open(self.reader, encoding="utf-8", closefd=False) as lines:
            return lines.read().splitlines()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe(*os.pipe())
    yield pipe
    os.close(pipe.reader)


def test_all_lines_arrive_in_order(pipe: Pipe) -> None:
    with LinePrinter(pipe.writer) as printer:
        printer.print_lines("one", "two")
        printer.print_lines("Grüße")

    assert pipe.read() == ["one", "two", "Grüße"]


async def test_a_flood_of_announcements_becomes_ten_lines_and_a_count(pipe: Pipe) -> None:
    with LinePrinter(pipe.writer) as printer:
        for number in range(1000):
            printer.announce(f"mail {number}")

    assert pipe.read() == [*(f"mail {number}" for number in range(10)), "caught 990 more"]


def test_a_reader_that_does_not_read_blocks_nothing(pipe: Pipe) -> None:
    started = time.monotonic()

    with LinePrinter(pipe.writer) as printer:
        for _ in range(MAX_QUEUED_LINES * 10):
            printer.print_lines("x" * 1000)

    assert time.monotonic() - started < 5
    os.close(pipe.writer)


def test_a_reader_that_has_gone_blocks_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)

    with LinePrinter(writer) as printer:
        for _ in range(MAX_QUEUED_LINES * 2):
            printer.print_lines("x")

    os.close(writer)


def test_text_of_a_mail_becomes_one_short_printable_line() -> None:
    assert shorten_printable("Grüße, 会議") == "Grüße, 会議"
    assert shorten_printable("\x1b[2J\nhidden") == "?[2J?hidden"
    assert shorten_printable("x" * 101) == "x" * 97 + "..."
