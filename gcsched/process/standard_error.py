"""Redirect standard error to the log while the service runs."""

import fcntl
import io
import os
import select
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread

STANDARD_ERROR = 2
PIPE_BYTES = 1024 * 1024
MAX_BYTES = 64 * 1024
BATCH_MILLISECONDS = 20
MAX_JOIN_SECONDS = 1.0


class StandardError(io.TextIOBase):
    """A replacement of ``sys.stderr`` that writes to descriptor 2 and never raises."""

    def write(self, text: str) -> int:
        with suppress(OSError):  # the pipe is full: the text is lost
            os.write(STANDARD_ERROR, text.encode(errors="backslashreplace"))
        return len(text)

    def fileno(self) -> int:
        return STANDARD_ERROR

    def writable(self) -> bool:
        return True


@contextmanager
def redirect_standard_error(on_text: Callable[[str], None]) -> Iterator[None]:
    """Call *on_text*, from a thread, with the text that is written to descriptor 2 meanwhile.

    C libraries write there while they hold the interpreter's lock, which the thread needs to read.
    So the pipe's writing end does not block: a full pipe would be a deadlock.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(OSError):  # more than this user may have
        fcntl.fcntl(writing, getattr(fcntl, "F_SETPIPE_SZ", 1031), PIPE_BYTES)
    kept, stream = os.dup(STANDARD_ERROR), sys.stderr
    reader = Thread(
        target=read_until_closed, args=(reading, on_text), name="standard error", daemon=True
    )
    os.dup2(writing, STANDARD_ERROR)
    os.close(writing)
    sys.stderr = StandardError()
    reader.start()
    try:
        yield
    finally:
        sys.stderr = stream
        restore_descriptor(kept)  # closes the writing end, which ends the reader
        os.close(kept)
        reader.join(MAX_JOIN_SECONDS)


def read_until_closed(reading: int, on_text: Callable[[str], None]) -> None:
    """Read until the other end is closed; join pieces that arrive together."""
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    while text := os.read(reading, MAX_BYTES):
        while len(text) < MAX_BYTES and poll.poll(BATCH_MILLISECONDS):
            if not (more := os.read(reading, MAX_BYTES)):
                break
            text += more
        on_text(text.decode(errors="backslashreplace").rstrip("\n"))
    os.close(reading)


def restore_descriptor(kept: int) -> None:
    """Point descriptor 2 at the file of *kept* again, without blocking any last write.

    gRPC's threads write until the process ends; a reader that has stalled would delay that.
    """
    if stat.S_ISREG(os.fstat(kept).st_mode):
        os.dup2(kept, STANDARD_ERROR)  # a file never blocks, and others share its offset
    elif stream := open_nonblocking(kept):
        with stream:
            os.dup2(stream.fileno(), STANDARD_ERROR)
    elif has_room(kept):
        os.dup2(kept, STANDARD_ERROR)
    else:
        with open_null() as null:
            os.dup2(null.fileno(), STANDARD_ERROR)


def has_room(output: int) -> bool:
    """Return whether *output* can be written to now."""
    poll = select.poll()
    poll.register(output, select.POLLOUT)
    return bool(poll.poll(0))


def open_null() -> io.TextIOWrapper:
    """Open the null device."""
    return os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def open_nonblocking(output: int) -> io.TextIOWrapper | None:
    """Open the file of *output* again, non-blocking; None if that is impossible.

    The flag belongs to the open file description, which other processes share: so this is a new
    one.
    """
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY
        return os.fdopen(os.open(f"/proc/self/fd/{output}", flags), "w")
    except OSError:
        return None
