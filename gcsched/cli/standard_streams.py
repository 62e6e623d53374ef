"""Standard streams that are closed, full or stuck: what a command says there never fails it."""

import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

MAX_WAIT_SECONDS = 1.0


class BestEffortStream(io.TextIOBase):
    """A stream that drops what *stream* cannot take, or does not within a second."""

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
    """Write past the stream's buffer: the interpreter fails at its end for what is left there."""
    try:
        output = stream.fileno()
    except io.UnsupportedOperation:
        stream.write(text)
    else:
        os.write(output, text.encode(stream.encoding, "backslashreplace"))


def wait_until_writable(stream: TextIO) -> bool:
    """Wait a second at most until *stream* takes a few lines."""
    try:
        _, is_ready, _ = select.select([], [stream.fileno()], [], MAX_WAIT_SECONDS)
    except (OSError, ValueError):
        return True  # nothing that can be waited for, such as a file on Windows
    return bool(is_ready)


@contextmanager
def best_effort_stderr() -> Iterator[None]:
    """Let no word on standard error fail or hold up the block."""
    open_missing_descriptors()
    kept, sys.stderr = sys.stderr, BestEffortStream(sys.stderr)
    try:
        yield
    finally:
        sys.stderr = kept


def open_missing_descriptors() -> None:
    """Open /dev/null for each of the descriptors 0, 1 and 2 that is closed.

    The next socket or file would get its number, and with it whatever is written there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
