"""What monitoring needs: counts, the connections with a relay, beats of other processes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from gcsched.domain.job import State


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCounts:
    """How many jobs are in each state, where that could be counted in time.

    *oldest_due_age* is how late the longest waiting of those that are due was then; 0: none was due.
    *unreadable* are those that are set aside, and those in states that are not ours.
    """

    by_state: Mapping[State, int]
    oldest_due_lateness: timedelta
    unreadable: int = 0


class JobCounter(Protocol):
    async def count(self, *, now: datetime) -> JobCounts:
        """Count the jobs of all processes."""


class RelaySessions(Protocol):
    """The connections with one relay."""

    @property
    def name(self) -> str: ...
    @property
    def connections(self) -> int: ...
    @property
    def busy(self) -> int: ...


class HeartbeatStore(Protocol):
    """Where processes that reach the same MongoDB say so."""

    async def write(self, mark: str) -> None:
        """Store *mark* as the latest beat; raises RedisUnavailable."""

    async def read_latest(self) -> str | None:
        """Return the latest beat, None if there is none; raises RedisUnavailable."""


class RelayInUse(Protocol):
    """A relay as mails are sent by it: mails per second as configured, and as they are now."""

    @property
    def name(self) -> str: ...
    @property
    def is_down(self) -> bool: ...
    @property
    def rate(self) -> float: ...
    @property
    def effective_rate(self) -> float: ...
