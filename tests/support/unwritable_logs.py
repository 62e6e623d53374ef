"""Ways in which a log cannot be written, for a service that is forked or executed with it."""

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
# Some 9 kB a call; our own lines are one a mail, whatever the level.
VERBOSE_GRPC = {"GRPC_VERBOSITY": "debug", "GRPC_TRACE": "http,tcp,api"}


def redirect_stderr(path: str) -> None:
    os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), 2)


def limit_log_size(path: str, size: int) -> None:
    """Let files grow to *size* only, as on a disk that fills; the hard limit stays."""
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
    """Execute the service from a shell, with *streams* as its redirections; $0 is *log_file*."""
    shell = f'{before} exec "{sys.executable}" -m gcsched serve {streams}'
    return subprocess.Popen(["/bin/sh", "-c", shell, str(log_file)], env=environment, stderr=stderr)


def a_small_pipe(folder: Path, *, is_full: bool) -> tuple[int, str]:
    """Make a named pipe; give the end to read, which nobody does."""
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
    """Open what no line can be written to."""
    if how == "full disk":
        return os.open("/dev/full", os.O_WRONLY)
    reading, path = a_small_pipe(folder, is_full=how == "full pipe")
    writing = os.open(path, os.O_WRONLY)
    if how == "no reader":
        os.close(reading)
    return writing
