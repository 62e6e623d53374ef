"""Standard streams that are closed, full or stuck: messages on them never fail a command."""

import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

MAX_WAIT_SECONDS = 1.0


class BestEffortStream(io.TextIOBase):
    """A stream that drops what *stream* does not accept within a second."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if self._stream is not None and wait_until_writable(self._stream):
            with suppress(OSError, ValueError):
                write_unbuffered(text, self._stream)
        return len(text)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        if self._stream is None:
            raise io.UnsupportedOperation
        return self._stream.fileno()


def write_unbuffered(text: str, stream: TextIO) -> None:
    """Write past the stream's buffer: the interpreter fails at exit if it cannot flush that."""
    try:
        output = stream.fileno()
    except io.UnsupportedOperation:
        stream.write(text)
    else:
        os.write(output, text.encode(stream.encoding, "backslashreplace"))


def wait_until_writable(stream: TextIO) -> bool:
    """Return whether *stream* accepts a few lines within a second."""
    try:
        _, is_ready, _ = select.select([], [stream.fileno()], [], MAX_WAIT_SECONDS)
    except (OSError, ValueError):
        return True  # not a stream that select supports, such as a file on Windows
    return bool(is_ready)


@contextmanager
def best_effort_stderr() -> Iterator[None]:
    """Keep messages on standard error from failing or blocking the code in the block."""
    open_missing_descriptors()
    original, sys.stderr = sys.stderr, BestEffortStream(sys.stderr)
    try:
        yield
    finally:
        sys.stderr = original


def open_missing_descriptors() -> None:
    """Open /dev/null for each of the descriptors 0, 1 and 2 that is closed.

    The next socket or file would get its number, and everything that is written to that stream.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
