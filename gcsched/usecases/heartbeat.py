"""Find out whether this process alone does not reach MongoDB: callers should go elsewhere then.

A process that is cut off cannot ask MongoDB how the others are. So each process that reaches
MongoDB says so in Redis, once a second, and one that does not listens there.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from gcsched.errors import BellUnavailable
from gcsched.usecases.periodic import periodically

EVERY = timedelta(seconds=1)
# Longer than an election. Longer, too, than what is under way when MongoDB goes away for all: a
# question of this process (1 s) and the beat of another, which Redis may take 2 s to answer.
PATIENCE_SECONDS = 15.0
RECENT_SECONDS = 5.0


class Beats(Protocol):
    """Where processes that reach the same MongoDB say so."""

    async def beat(self, mark: str) -> None:
        """Store *mark* as the latest beat; raises BellUnavailable."""

    async def latest(self) -> str | None:
        """Return the latest beat, None if there is none; raises BellUnavailable."""


@dataclass(kw_only=True, eq=False)
class Heartbeat:
    """Beat while MongoDB is reached, listen for the beats of others while it is not.

    Only a beat that comes while this process listens counts: what Redis still holds from before, or
    holds for ever because its clock stands, says nothing. Without Redis nobody is cut off *alone*.
    """

    beats: Beats
    is_reached: Callable[[], bool]
    clock: Callable[[], float] = time.monotonic
    _name: str = field(default_factory=lambda: secrets.token_hex(8), init=False)
    _count: int = field(default=0, init=False)
    _away_since: float | None = field(default=None, init=False)
    _latest: str | None = field(default=None, init=False)
    _heard_at: float | None = field(default=None, init=False)

    @property
    def trouble(self) -> str | None:
        """Return why calls should go to other processes; None: they need not."""
        if self._away_since is None or self._heard_at is None:
            return None
        now = self.clock()
        away_for = now - self._away_since
        if away_for < PATIENCE_SECONDS or now - self._heard_at > RECENT_SECONDS:
            return None
        return f"this process has not reached MongoDB for {away_for:.0f} s, but another does"

    async def run(self, stop: asyncio.Event) -> None:
        await periodically(self.look, every=EVERY, stop=stop)

    async def look(self) -> None:
        """Beat or listen, once; a Redis that fails costs nothing but the knowledge."""
        try:
            if self.is_reached():
                self._away_since = self._latest = self._heard_at = None
                self._count += 1
                await self.beats.beat(f"{self._name}:{self._count}")
            else:
                await self._listen()
        except BellUnavailable:
            self._latest = None  # what came meanwhile was not heard

    async def _listen(self) -> None:
        if self._away_since is None:
            self._away_since = self.clock()
        before, self._latest = self._latest, await self.beats.latest()
        is_of_another = self._latest is not None and not self._latest.startswith(self._name)
        if is_of_another and before is not None and self._latest != before:
            self._heard_at = self.clock()
