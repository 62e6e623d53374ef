"""What a load test runs against: clients, the processes that can be seen, and what has arrived."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gcsched.client import AsyncClient, AttemptKind, View

LOAD_GENERATOR = "load generator"
CLIENTS = 4
PAGE_SIZE = 200
SHARED_EMPLOYEES = 8
NewClient = Callable[[str], AsyncClient]
Arrivals = Mapping[str, Sequence[float]]


class System(Protocol):
    """A service under load."""

    @property
    def clients(self) -> Sequence[AsyncClient]: ...
    @property
    def employees(self) -> int:
        """Return how many employees the jobs have; 0: one each."""

    @property
    def pids(self) -> Mapping[str, int]:
        """Return the processes whose CPU time is visible, by their part."""

    async def read_arrivals(self, employees: Iterable[str]) -> Arrivals:
        """Return when mails of the run were accepted, by recipient, in Unix seconds."""


@dataclass(kw_only=True)
class RemoteSystem:
    """A service that was running before: only its answers can be seen."""

    clients: Sequence[AsyncClient]
    employees: int = SHARED_EMPLOYEES  # few, so that few calls cancel and list all jobs

    @property
    def pids(self) -> Mapping[str, int]:
        return {LOAD_GENERATOR: os.getpid()}

    async def read_arrivals(self, employees: Iterable[str]) -> Arrivals:
        """Read them from the history of the jobs: the relay's replies."""
        found: dict[str, list[float]] = {}
        for empid in employees:
            jobs = self.clients[0].list_jobs(empid=empid, view=View.FULL, page_size=PAGE_SIZE)
            async for job in jobs:
                times = [
                    each.end_time.timestamp()
                    for each in job.attempts
                    if each.kind == AttemptKind.ACCEPTED and each.end_time
                ]
                if times:
                    found[job.email] = times
        return found


@dataclass(kw_only=True)
class EmbeddedSystem:
    """A service, stores and a sink of the run's own."""

    clients: Sequence[AsyncClient]
    processes: Mapping[str, int]
    ledger: Path
    is_pinned: bool
    employees: int = 0
    _arrivals: dict[str, list[float]] = field(default_factory=dict)
    _read_octets: int = 0

    @property
    def pids(self) -> Mapping[str, int]:
        return {**self.processes, LOAD_GENERATOR: os.getpid()}

    async def read_arrivals(self, employees: Iterable[str]) -> Arrivals:
        """Read what the sink has added to its ledger; *employees* do not matter."""
        del employees
        with self.ledger.open("rb") as file:
            file.seek(self._read_octets)
            whole, _, _ = file.read().rpartition(b"\n")
        if whole:
            self._read_octets += len(whole) + 1
            for line in whole.decode().splitlines():
                recipient, _, instant = line.rpartition(" ")
                self._arrivals.setdefault(recipient, []).append(float(instant))
        return self._arrivals
