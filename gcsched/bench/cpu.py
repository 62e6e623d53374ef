"""The CPU time of processes of this machine, and the cores that they may use. Linux only."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

USER_TIME, SYSTEM_TIME = 11, 12
"""Their places in /proc/PID/stat after the name of the program, by proc(5)."""
IDLE_TIMES, GUEST_TIME = (3, 4), 8
"""Of the first line of /proc/stat: idle, and waiting for input; guests are counted twice."""
OTHER_PROGRAMS = "other programs"
IS_VISIBLE = sys.platform == "linux"


def read_cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """Return the CPU time of each process, and that of all others together.

    Empty where the system does not tell it.
    """
    if not IS_VISIBLE:
        return {}
    found = {name: read_cpu_time(pid) for name, pid in pids.items()}
    return {**found, OTHER_PROGRAMS: read_busy_seconds() - sum(found.values())}


def read_busy_seconds() -> float:
    """Return the CPU time of all cores of the machine that was used, in seconds."""
    with Path("/proc/stat").open(encoding="utf-8") as file:
        ticks = [int(each) for each in file.readline().split()[1:]]
    return (sum(ticks[:GUEST_TIME]) - sum(ticks[i] for i in IDLE_TIMES)) / os.sysconf("SC_CLK_TCK")


def read_cpu_time(pid: int) -> float:
    """Return user and system time in seconds; the kernel counts in steps of 10 ms."""
    # The name is in parentheses and may contain spaces.
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    ticks = int(after_name[USER_TIME]) + int(after_name[SYSTEM_TIME])
    return ticks / os.sysconf("SC_CLK_TCK")


def read_memory_mb(pid: int) -> float:
    """Return the resident memory of a process; 0 where the system does not tell it."""
    if not IS_VISIBLE:
        return 0.0
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


@contextmanager
def split_cores(service: int, others: Mapping[str, int]) -> Iterator[bool]:
    """Keep *service* on a core of its own, and *others* and this process off it, for a block.

    Yield whether that was possible: it needs Linux and two cores. Otherwise the CPU time of the
    service would depend on what the stores do meanwhile.
    """
    cores = sorted(os.sched_getaffinity(0)) if IS_VISIBLE else []
    if len(cores) <= 1:
        yield False
        return
    restrict(service, {cores[0]})
    for pid in [*others.values(), os.getpid()]:
        restrict(pid, set(cores[1:]))
    try:
        yield True
    finally:
        restrict(os.getpid(), set(cores))


def restrict(pid: int, cores: set[int]) -> None:
    """Restrict every thread of *pid*, and those that they start, to *cores*."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)
