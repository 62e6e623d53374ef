"""Lines for the operator. A slow or absent reader delays these lines only, not the service."""

import asyncio
import os
from collections.abc import Callable
from queue import Full, Queue
from threading import Thread
from types import TracebackType
from typing import Self

from gcsched.domain.caller_text import replace_unprintable

MAX_QUEUED_LINES = 1000
MAX_PER_SECOND = 10
MAX_FLUSH_SECONDS = 1.0
MAX_PHRASE = 100


class LinePrinter:
    """Writes lines to the file descriptor *output*, from a thread that may be abandoned at exit."""

    def __init__(self, output: int) -> None:
        self._output = output
        self._lines: Queue[str | None] = Queue(MAX_QUEUED_LINES)
        self._writer = Thread(target=self._write, name="line printer", daemon=True)
        self._announced = 0
        self._skipped = 0
        self._next_second: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._writer.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """Wait at most ``MAX_FLUSH_SECONDS`` until the last lines are written."""
        if self._next_second is not None:
            self._next_second.cancel()
            self._on_next_second()
        self._enqueue(None)  # ends the thread; a stuck one is a daemon and is abandoned
        self._writer.join(MAX_FLUSH_SECONDS)

    def print_lines(self, *lines: str) -> None:
        for line in lines:
            self._enqueue(line)

    def announce(self, line: str) -> None:
        """Print *line*; beyond ``MAX_PER_SECOND``, only count it and print the count afterwards."""
        if self._next_second is None:
            loop = asyncio.get_running_loop()
            self._next_second = loop.call_later(1.0, self._on_next_second)
        if self._announced < MAX_PER_SECOND:
            self._announced += 1
            self.print_lines(line)
        else:
            self._skipped += 1

    def _on_next_second(self) -> None:
        skipped, self._announced, self._skipped, self._next_second = self._skipped, 0, 0, None
        if skipped:
            self.print_lines(f"caught {skipped} more")

    def _enqueue(self, line: str | None) -> None:
        try:
            self._lines.put_nowait(line)
        except Full:
            return  # the reader is stuck: drop the line

    def _write(self) -> None:
        # Not through sys.stdout: a thread stuck in it would keep the interpreter from exiting.
        for line in iter(self._lines.get, None):
            remaining = f"{line}\n".encode(errors="replace")
            try:
                while remaining:
                    remaining = remaining[os.write(self._output, remaining) :]
            except OSError:
                return


PrintLines = Callable[..., None]


def shorten_printable(text: str) -> str:
    """Return *text* from a mail as one short line, without characters that move the cursor."""
    shown = replace_unprintable(text)
    return shown if len(shown) <= MAX_PHRASE else f"{shown[: MAX_PHRASE - 3]}..."
