"""Ports of monitoring: job counts, sessions with relays, heartbeats, and the history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from gcsched.domain.history import HistoryFigures, HistoryShare, HistoryStep
from gcsched.domain.job import State


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCounts:
    """The number of jobs in each state; a state is absent if it could not be counted in time.

    *oldest_due_lateness* is how late the oldest due job was at that time; 0: no job was due.
    *unreadable* counts jobs that are quarantined, and those in unknown states.
    """

    by_state: Mapping[State, int]
    oldest_due_lateness: timedelta
    unreadable: int = 0


class JobCounter(Protocol):
    """Counts jobs."""

    async def count(self, *, now: datetime) -> JobCounts:
        """Count the jobs of all processes."""


class RelaySessions(Protocol):
    """The sessions with one relay."""

    @property
    def name(self) -> str: ...
    @property
    def connections(self) -> int: ...
    @property
    def busy(self) -> int: ...
    @property
    def limit(self) -> int: ...


class HeartbeatStore(Protocol):
    """The store of heartbeats of the processes that reach the same MongoDB."""

    async def write(self, heartbeat: str) -> None:
        """Store *heartbeat* as the latest heartbeat; raises RedisUnavailable."""

    async def read_latest(self) -> str | None:
        """Return the latest heartbeat, or None; raises RedisUnavailable."""


class RelayInUse(Protocol):
    """A relay and its rate in mails per second, as configured and as it is now."""

    @property
    def name(self) -> str: ...
    @property
    def is_down(self) -> bool: ...
    @property
    def rate(self) -> float: ...
    @property
    def effective_rate(self) -> float: ...


class HistoryStore(Protocol):
    """The history of all processes. Every method raises StoreUnavailable."""

    async def add(self, share: HistoryShare) -> None:
        """Add *share* to the history; a repeated call is harmless.

        The shares of a process must be added in the order of their numbers.
        """

    async def read(
        self, step: HistoryStep, *, from_time: datetime, before_time: datetime
    ) -> Sequence[HistoryFigures]:
        """Return the figures of the intervals that begin in that time, the oldest first."""
