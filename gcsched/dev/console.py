"""Lines for whoever watches. A reader that is slow, or gone, holds up nothing but these lines."""

import asyncio
import os
from collections.abc import Callable
from queue import Full, Queue
from threading import Thread
from types import TracebackType
from typing import Self

from gcsched.domain.caller_text import printable

MOST_WAITING = 1000
MOST_PER_SECOND = 10
LONGEST_FAREWELL_SECONDS = 1.0
LONGEST_PHRASE = 100


class Console:
    """Write lines to the file descriptor *output*, from a thread that may be left behind."""

    def __init__(self, output: int) -> None:
        self._output = output
        self._lines: Queue[str | None] = Queue(MOST_WAITING)
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
        self._put(None)
        self._writer.join(LONGEST_FAREWELL_SECONDS)

    def say(self, *lines: str) -> None:
        for line in lines:
            self._put(line)

    def announce(self, line: str) -> None:
        """Say *line*, unless there were many in this second: then only how many more there were."""
        if self._next_second is None:
            loop = asyncio.get_running_loop()
            self._next_second = loop.call_later(1.0, self._on_next_second)
        if self._announced < MOST_PER_SECOND:
            self._announced += 1
            self.say(line)
        else:
            self._more += 1

    def _on_next_second(self) -> None:
        more, self._announced, self._more, self._next_second = self._more, 0, 0, None
        if more:
            self.say(f"caught {more} more")

    def _put(self, line: str | None) -> None:
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


Say = Callable[..., None]


def phrase(text: str) -> str:
    """Make foreign words fit for a terminal: one short line, nothing that moves the cursor."""
    shown = printable(text)
    return shown if len(shown) <= LONGEST_PHRASE else f"{shown[: LONGEST_PHRASE - 3]}..."
