"""Lines for whoever watches. A reader that is slow, or gone, holds up nothing but these lines."""

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


class Console:
    """Write lines to the file descriptor *output*, from a thread that may be left behind."""

    def __init__(self, output: int) -> None:
        self._output = output
        self._lines: Queue[str | None] = Queue(MAX_QUEUED_LINES)
        self._writer = Thread(target=self._write, name="console", daemon=True)
        self._announced = 0
        self._more = 0
        self._next_second: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._writer.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """Give the last lines a moment to be read."""
        if self._next_second is not None:
            self._next_second.cancel()
            self._on_next_second()
        self._enqueue(None)
        self._writer.join(MAX_FLUSH_SECONDS)

    def print_lines(self, *lines: str) -> None:
        for line in lines:
            self._enqueue(line)

    def announce(self, line: str) -> None:
        """Say *line*, unless there were many in this second: then only how many more there were."""
        if self._next_second is None:
            loop = asyncio.get_running_loop()
            self._next_second = loop.call_later(1.0, self._on_next_second)
        if self._announced < MAX_PER_SECOND:
            self._announced += 1
            self.print_lines(line)
        else:
            self._more += 1

    def _on_next_second(self) -> None:
        more, self._announced, self._more, self._next_second = self._more, 0, 0, None
        if more:
            self.print_lines(f"caught {more} more")

    def _enqueue(self, line: str | None) -> None:
        try:
            self._lines.put_nowait(line)
        except Full:
            return  # nobody reads

    def _write(self) -> None:
        # Not through sys.stdout: a writer stuck there would keep the interpreter from ending.
        for line in iter(self._lines.get, None):
            left = f"{line}\n".encode(errors="replace")
            try:
                while left:
                    left = left[os.write(self._output, left) :]
            except OSError:
                return


PrintLines = Callable[..., None]


def shorten_printable(text: str) -> str:
    """Make foreign words fit for a terminal: one short line, nothing that moves the cursor."""
    shown = replace_unprintable(text)
    return shown if len(shown) <= MAX_PHRASE else f"{shown[: MAX_PHRASE - 3]}..."
