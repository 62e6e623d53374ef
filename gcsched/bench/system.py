"""What a load test runs against: clients, the processes that can be seen, and what has arrived."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gcsched.client import AsyncClient, AttemptKind, Order, State, View

LOAD_GENERATOR = "load generator"
CLIENTS = 4
PAGE_SIZE = 200
SHARED_EMPLOYEES = 8
NewClient = Callable[[str], AsyncClient]
Arrivals = Mapping[str, Sequence[float]]
DueTimes = Mapping[str, int]
"""By recipient, in Unix seconds."""
WAITING_STATES = (State.SCHEDULED, State.SENDING)
"""In the order in which jobs pass through them, so that counting one by one misses none."""
REREAD_SECONDS, REREAD_SHARE = 10.0, 0.2
"""Histories are read again after that time, and in at most that share of the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """How many mails have arrived, at least; how late the latest one was, where that is seen."""

    mails: int
    late_seconds: float | None = None


class System(Protocol):
    """A service under load."""

    @property
    def clients(self) -> Sequence[AsyncClient]: ...
    @property
    def employees(self) -> int:
        """Return how many employees the jobs have; 0: one each."""

    @property
    def target(self) -> str:
        """Return the address of the service, as commands name it."""

    @property
    def pids(self) -> Mapping[str, int]:
        """Return the processes whose CPU time is visible, by their part."""

    @property
    def poll_seconds(self) -> float:
        """Return how long to wait between two calls of count_arrived."""

    async def count_arrived(self, employees: Iterable[str], due_times: DueTimes) -> Arrived:
        """Return how many of the mails of a round have arrived; it costs little."""

    async def read_arrivals(self, employees: Iterable[str], due_times: DueTimes) -> Arrivals:
        """Return when the mails of a round were accepted, by recipient, in Unix seconds."""


@dataclass(kw_only=True)
class RemoteSystem:
    """A service that was running before: only its answers can be seen."""

    clients: Sequence[AsyncClient]
    target: str
    poll_seconds: float = 2.0
    employees: int = SHARED_EMPLOYEES  # few, so that few calls cancel and list all jobs
    _first_due: int = 0  # of the round that the next two are about
    _next_reading: float = 0.0
    _arrived: int = 0

    @property
    def pids(self) -> Mapping[str, int]:
        return {LOAD_GENERATOR: os.getpid()}

    async def count_arrived(self, employees: Iterable[str], due_times: DueTimes) -> Arrived:
        """Count the jobs that wait in the seconds of the round, also those of others.

        The service counts at most 10,000 of a state: with more it is not known how many have left.
        Without any, the histories tell it: mails may wait for a later attempt.
        """
        waiting, first, last = 0, min(due_times.values()), max(due_times.values())
        for state in WAITING_STATES:
            found = await self.clients[0].count_jobs(
                state=state, due_time_from=first, due_time_before=last + 1
            )
            if found.has_more:
                return Arrived(mails=0)
            waiting += found.count
        if first != self._first_due:
            self._first_due, self._next_reading, self._arrived = first, 0.0, 0
        if waiting:
            return Arrived(mails=max(0, len(due_times) - waiting))
        started = time.monotonic()
        if started >= self._next_reading:
            self._arrived = len(await self.read_arrivals(employees, due_times))
            took = time.monotonic() - started
            self._next_reading = time.monotonic() + max(REREAD_SECONDS, took / REREAD_SHARE)
        return Arrived(mails=self._arrived)

    async def read_arrivals(self, employees: Iterable[str], due_times: DueTimes) -> Arrivals:
        """Read them from the history of the jobs: the relay's replies."""
        found: dict[str, list[float]] = {}
        for empid in employees:
            jobs = self.clients[0].list_jobs(
                empid=empid, view=View.FULL, order=Order.CREATE_TIME_DESC, page_size=PAGE_SIZE
            )
            async for job in jobs:
                if job.email not in due_times:
                    break  # of a round before
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
    target: str
    processes: Mapping[str, int]
    ledger: Path
    is_pinned: bool
    employees: int = 0
    poll_seconds: float = 0.1
    _arrivals: dict[str, list[float]] = field(default_factory=dict)
    _read_octets: int = 0

    @property
    def pids(self) -> Mapping[str, int]:
        return {**self.processes, LOAD_GENERATOR: os.getpid()}

    async def count_arrived(self, employees: Iterable[str], due_times: DueTimes) -> Arrived:
        """Count what is in the ledger; *employees* do not matter."""
        del employees
        arrivals = self._read_ledger()
        present = due_times.keys() & arrivals.keys()
        if not present:
            return Arrived(mails=0)
        latest = max(present, key=lambda each: arrivals[each][0])
        late_seconds = arrivals[latest][0] - due_times[latest]
        return Arrived(mails=len(present), late_seconds=late_seconds)

    async def read_arrivals(self, employees: Iterable[str], due_times: DueTimes) -> Arrivals:
        """Return what the sink has accepted of all rounds; the arguments do not matter."""
        del employees, due_times
        return self._read_ledger()

    def _read_ledger(self) -> Arrivals:
        """Read what the sink has added to its ledger."""
        with self.ledger.open("rb") as file:
            file.seek(self._read_octets)
            whole, _, _ = file.read().rpartition(b"\n")
        if whole:
            self._read_octets += len(whole) + 1
            for line in whole.decode().splitlines():
                recipient, _, instant = line.rpartition(" ")
                self._arrivals.setdefault(recipient, []).append(float(instant))
        return self._arrivals
