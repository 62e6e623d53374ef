"""Freeze a child process, and be sure of it: its other threads may run on for a while."""

import os
import signal
import sys
import time

LONGEST_SECONDS = 5.0
STANDS_STILL = os.WSTOPPED | os.WEXITED | os.WNOWAIT | os.WNOHANG if sys.platform == "linux" else 0


def freeze(pid: int) -> None:
    """Give SIGSTOP and return when all threads of *pid* stand still, or it has ended."""
    os.kill(pid, signal.SIGSTOP)
    end = time.monotonic() + LONGEST_SECONDS
    while STANDS_STILL and time.monotonic() < end:
        if os.waitid(os.P_PID, pid, STANDS_STILL) is not None:
            return
