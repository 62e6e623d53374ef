"""Freeze a process reliably: its other threads may run on for a while after SIGSTOP."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

TIMEOUT_SECONDS = 5.0
STOPPED_STATES = set("TtZX")  # stopped, traced, ended


def freeze(pid: int) -> None:
    """Send SIGSTOP; return when all threads of *pid* have stopped, or the process has ended."""
    os.kill(pid, signal.SIGSTOP)
    if sys.platform != "linux":
        return
    end = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < end:
        if STOPPED_STATES.issuperset(thread_states(pid)):
            return


def thread_states(pid: int) -> Iterator[str]:
    """Yield the letter of each thread's state; source: proc_pid_stat(5)."""
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(OSError):  # the thread has ended meanwhile
            yield stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
