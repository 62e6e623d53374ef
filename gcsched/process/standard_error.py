"""Standard error while the service runs: whatever is written there goes to the log."""

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
    """What replaces ``sys.stderr``: it writes to descriptor 2 and never raises."""

    def write(self, text: str) -> int:
        with suppress(OSError):  # the pipe is full: what does not fit is lost, as is said of it
            os.write(STANDARD_ERROR, text.encode(errors="backslashreplace"))
        return len(text)

    def fileno(self) -> int:
        return STANDARD_ERROR

    def writable(self) -> bool:
        return True


@contextmanager
def redirect_standard_error(on_text: Callable[[str], None]) -> Iterator[None]:
    """Give *on_text* what is written to descriptor 2 meanwhile, from a thread, some lines at once.

    C libraries write there while they hold the interpreter's lock, which the thread needs to read:
    so our end of the pipe is never waited for.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(OSError):  # beyond what this user may have
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
        restore_descriptor(kept)  # closes our end, which ends the reader
        os.close(kept)
        reader.join(MAX_JOIN_SECONDS)


def read_until_closed(reading: int, on_text: Callable[[str], None]) -> None:
    """Read until the other end is closed; what is written in pieces is put together."""
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
    """Let descriptor 2 lead to where *kept* does, so that no last word waits there.

    gRPC's threads write until the process is gone; a reader that stands still would hold that up.
    """
    if stat.S_ISREG(os.fstat(kept).st_mode):
        os.dup2(kept, STANDARD_ERROR)  # a file never waits, and others share the place in it
    elif again := reopen_nonblocking(kept):
        with again:
            os.dup2(again.fileno(), STANDARD_ERROR)
    elif has_room(kept):
        os.dup2(kept, STANDARD_ERROR)
    else:
        with open_null() as nothing:
            os.dup2(nothing.fileno(), STANDARD_ERROR)


def has_room(output: int) -> bool:
    """Return whether *output* takes a few lines now."""
    poll = select.poll()
    poll.register(output, select.POLLOUT)
    return bool(poll.poll(0))


def open_null() -> io.TextIOWrapper:
    """Open what takes everything and keeps nothing."""
    return os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def reopen_nonblocking(output: int) -> io.TextIOWrapper | None:
    """Open what *output* leads to once more, so that no write there waits; None: it cannot be.

    The flag for that belongs to what was opened, and others share it; this is a new one.
    """
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY
        return os.fdopen(os.open(f"/proc/self/fd/{output}", flags), "w")
    except OSError:
        return None
