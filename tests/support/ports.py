"""Ports for the servers of tests: each is handed out once, to one process of one test run.

Every process locks blocks of ports. All are below the kernel's range of ephemeral ports, so no
outgoing connection takes a port while its server is down for a moment.
"""

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

NOT_EPHEMERAL = range(12_000, 32_000)
PORTS_PER_BLOCK = 200
LOCKS = Path(tempfile.gettempdir(), f"gcsched-test-ports-{os.getuid()}")


class NoFreePort(Exception):
    """All ports are locked by other processes, or in use."""

    def __init__(self, ports: Sequence[int], locks: Path) -> None:
        super().__init__(
            f"no free port is left from {ports[0]} to {ports[-1]}:"
            f" stop the test runs that hold the locks in {locks}"
        )


class Ports:
    """A pool that hands out each of *ports* once; *locks* is a folder that all processes share."""

    def __init__(
        self,
        ports: Sequence[int] = NOT_EPHEMERAL,
        locks: Path = LOCKS,
        *,
        block: int = PORTS_PER_BLOCK,
    ) -> None:
        self._ports = ports
        self._folder = locks
        self._block = block
        self._locked: list[IO[bytes]] = []  # the kernel releases them when this process ends
        self._remaining = self._lock_blocks()

    def next_free(self) -> int:
        """Return a port on which a server can listen at 127.0.0.1."""
        for port in self._remaining:
            if is_free(port):
                return port
        raise NoFreePort(self._ports, self._folder)

    def close(self) -> None:
        """Release the blocks for other processes."""
        for lock in self._locked:
            lock.close()

    def _lock_blocks(self) -> Iterator[int]:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for first in range(0, len(self._ports), self._block):
            if self._lock(self._folder / str(self._ports[first])):
                yield from self._ports[first : first + self._block]

    def _lock(self, path: Path) -> bool:
        lock = path.open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._locked.append(lock)
        return True


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


_ports = Ports()


def free_port() -> int:
    """Return a port of 127.0.0.1 that no other test gets, in this run or a concurrent one."""
    return _ports.next_free()
