"""Ways to make a service's log unwritable, for one that is forked or executed."""

import fcntl
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.launch import Child

MIN_PIPE_OCTETS = 4096
ALL_CLOSED = "<&- >&- 2>&-"
# About 9 kB a call; the service itself logs one line a mail at any level.
VERBOSE_GRPC = {"GRPC_VERBOSITY": "debug", "GRPC_TRACE": "http,tcp,api"}


def redirect_stderr(path: str) -> None:
    os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), 2)


def limit_log_size(path: str, size: int) -> None:
    """Limit the size of files, as on a full disk; the hard limit stays, so a test can raise it."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    redirect_stderr(path)


def execute_in_shell(
    environment: Mapping[str, str],
    log_file: Path,
    *,
    before: str = "",
    streams: str = "",
    stderr: int | None = None,
) -> Child:
    """Execute the service by a shell with the redirections *streams*; $0 is *log_file*."""
    shell = f'{before} exec "{sys.executable}" -m gcsched serve {streams}'
    return subprocess.Popen(["/bin/sh", "-c", shell, str(log_file)], env=environment, stderr=stderr)


def a_small_pipe(folder: Path, *, is_full: bool) -> tuple[int, str]:
    """Make a named pipe; return its read end, which the caller may leave unread, and its path."""
    path = folder / "pipe"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writing = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, MIN_PIPE_OCTETS)
    if is_full:
        os.write(writing, b"\n" * MIN_PIPE_OCTETS)
    os.close(writing)
    return reading, str(path)


def open_unwritable(folder: Path, how: str) -> int:
    """Open a file descriptor to which no line can be written."""
    if how == "full disk":
        return os.open("/dev/full", os.O_WRONLY)
    reading, path = a_small_pipe(folder, is_full=how == "full pipe")
    writing = os.open(path, os.O_WRONLY)
    if how == "no reader":
        os.close(reading)
    return writing
