"""The sink of log lines: a bounded queue and a writer thread, so that no log delays a mail."""

import math
import os
import select
import time
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, RLock, Thread
from types import TracebackType
from typing import Self

MAX_LINES = 20_000
MAX_BYTES = 8 * 1024 * 1024
BATCH_SECONDS = 0.03
RETRY_SECONDS = 0.5
MAX_DRAIN_SECONDS = 1.0
ATOMIC_BYTES = 4096  # PIPE_BUF: a pipe takes this many in one piece, also with other writers

Token = Event | None


class LogSink:
    """A text stream that writes its lines to the descriptor *output* from a thread.

    A line that finds the queue full is dropped and counted. Nothing here raises or waits. The
    descriptor may be shared with other processes, so it keeps its flags: a write may block, and
    then only the thread blocks.
    """

    def __init__(
        self,
        output: int,
        *,
        max_lines: int = MAX_LINES,
        max_bytes: int = MAX_BYTES,
        format_dropped: Callable[[int], str] = "{} log lines dropped\n".format,
    ) -> None:
        self.format_dropped = format_dropped
        self.dropped = 0
        """How many lines were dropped so far."""
        self._output = output
        self._max_lines, self._max_bytes = max_lines, max_bytes
        self._lines: list[bytes] = []
        self._bytes = 0
        # Reentrant: a destructor or a signal handler may log while its own thread holds the lock.
        self._lock = RLock()
        self._wakes: SimpleQueue[Token] = SimpleQueue()
        self._is_awake = False
        self._reported = 0
        self._deadline = math.inf
        self._writer = Thread(target=self._run, name="log", daemon=True)

    def __enter__(self) -> Self:
        self._writer.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """Wait at most a second for the queued lines; the thread may still be blocked then."""
        self._deadline = time.monotonic() + MAX_DRAIN_SECONDS
        self.drain()

    def write(self, text: str) -> int:
        """Queue *text*, which ends with a line break; lone surrogates are escaped."""
        line = text.encode(errors="backslashreplace")
        with self._lock:
            has_room = self._bytes + len(line) <= self._max_bytes
            if has_room and len(self._lines) < self._max_lines:
                self._lines.append(line)
                self._bytes += len(line)
            else:
                self.dropped += 1
        if not self._is_awake:
            self._is_awake = True
            self._wakes.put(None)
        return len(text)

    def flush(self) -> None:
        """Do nothing: the thread writes by itself; see `drain`."""

    def isatty(self) -> bool:
        return os.isatty(self._output)

    def drain(self, within: float = MAX_DRAIN_SECONDS) -> bool:
        """Wait until all queued lines are written, *within* seconds; return whether they are.

        After `__exit__` the calling thread writes them; the descriptor must still be open then.
        """
        written = Event()
        if self._writer.is_alive():
            self._wakes.put(written)
            if written.wait(within):
                return True
        return not self._writer.is_alive() and self._write_late(within)

    def _write_late(self, within: float) -> bool:
        """Write the lines that came after the thread's end, for at most *within* seconds."""
        left, until = b"".join(self._take_lines()), time.monotonic() + within
        poll = select.poll()
        poll.register(self._output, select.POLLOUT)
        while left and poll.poll(max(0.0, until - time.monotonic()) * 1000):
            try:
                # A writable pipe takes this many bytes without blocking.
                left = left[os.write(self._output, left[:ATOMIC_BYTES]) :]
            except OSError:
                return False
        return not left

    def _run(self) -> None:
        while True:
            token = self._wakes.get()
            if token is None:
                time.sleep(BATCH_SECONDS)  # one wake-up for many lines
            self._is_awake = False
            self._write_all()
            if token is not None:
                token.set()
                if self._deadline < math.inf:
                    return

    def _write_all(self) -> None:
        while lines := self._take_lines():
            for chunk in join_lines(lines):
                self._write_chunk(chunk)
        if (dropped := self.dropped) > self._reported:
            self._write_chunk(self.format_dropped(dropped - self._reported).encode())
            self._reported = dropped

    def _take_lines(self) -> list[bytes]:
        with self._lock:
            lines, self._lines, self._bytes = self._lines, [], 0
        return lines

    def _write_chunk(self, left: bytes) -> None:
        """Write all of *left*, with retries: half a line would corrupt the next one."""
        # After the deadline the number of the descriptor may belong to another file.
        while left and time.monotonic() < self._deadline:
            try:
                left = left[os.write(self._output, left) :]
            except OSError:
                # A full disk or a stalled reader may recover; the queue counts what it drops.
                time.sleep(RETRY_SECONDS)


def join_lines(lines: list[bytes]) -> list[bytes]:
    """Join *lines* into pieces of whole lines that a pipe takes at once."""
    pieces, piece, size = [], list[bytes](), 0
    for line in lines:
        if piece and size + len(line) > ATOMIC_BYTES:
            pieces.append(b"".join(piece))
            piece, size = [], 0
        piece.append(line)
        size += len(line)
    return [*pieces, b"".join(piece)] if piece else pieces
