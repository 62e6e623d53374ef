"""Heartbeats: find out whether only this process cannot reach MongoDB, and others can.

Callers should go to the others then. A process that is cut off cannot ask MongoDB about the
others, so each process that reaches MongoDB writes a heartbeat to Redis once a second, and a
process that does not reads the heartbeats there.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from gcsched.errors import RedisUnavailable
from gcsched.usecases.loops import run_periodically
from gcsched.usecases.ports import HeartbeatStore

EVERY = timedelta(seconds=1)
# Longer than an election of MongoDB. Also longer than what may be in progress when MongoDB goes
# away for all processes: a ping of this one (1 s) and a heartbeat of another (Redis: up to 2 s).
CUT_OFF_AFTER_SECONDS = 15.0
RECENT_SECONDS = 5.0
REQUIRED_CHANGES = 2


def always_serving() -> bool:
    """Return True: the *is_serving* of a process that serves all its life."""
    return True


@dataclass(kw_only=True, eq=False)
class Heartbeat:
    """Writes heartbeats while MongoDB is reached, and reads those of others while it is not.

    Only heartbeats that arrive while this process reads count, and only from the second one on.
    This leaves out what Redis still holds from before, the last heartbeat of a process that has
    just lost MongoDB too, and one that never expires because the clock of Redis stands still. A
    process that does not serve takes no calls, so it writes no heartbeats. Without Redis no process
    counts as cut off.
    """

    store: HeartbeatStore
    is_reached: Callable[[], bool]
    is_serving: Callable[[], bool] = always_serving
    clock: Callable[[], float] = time.monotonic
    _name: str = field(default_factory=lambda: secrets.token_hex(8), init=False)
    _count: int = field(default=0, init=False)
    _away_since: float | None = field(default=None, init=False)
    _latest: str | None = field(default=None, init=False)
    _listened_at: float = field(default=0.0, init=False)
    _changes: tuple[float, ...] = field(default=(), init=False)

    @property
    def problem(self) -> str | None:
        """Return why callers should go to other processes, or None."""
        if self._away_since is None or len(self._changes) < REQUIRED_CHANGES:
            return None
        now = self.clock()
        away_for = now - self._away_since
        if away_for < CUT_OFF_AFTER_SECONDS or now - self._changes[-1] > RECENT_SECONDS:
            return None
        return f"this process has not reached MongoDB for {away_for:.0f} s, but another does"

    async def run(self, stop: asyncio.Event) -> None:
        await run_periodically(self.beat_or_listen, every=EVERY, stop=stop)

    async def beat_or_listen(self) -> None:
        """Write or read a heartbeat once; a failure of Redis is ignored."""
        try:
            if self.is_reached():
                self._away_since, self._latest, self._changes = None, None, ()
                await self._beat()
            else:
                await self._listen()
        except RedisUnavailable:
            self._latest = None  # heartbeats may have been missed meanwhile

    async def _beat(self) -> None:
        if self.is_serving():
            self._count += 1
            await self.store.write(f"{self._name}:{self._count}")

    async def _listen(self) -> None:
        if self._away_since is None:
            self._away_since = self.clock()
        before, self._latest = self._latest, await self.store.read_latest()
        previous_at, self._listened_at = self._listened_at, self.clock()
        if self._listened_at - previous_at > RECENT_SECONDS:
            return  # this process was suspended: the change may have happened long ago
        if self._is_from_other(before) and self._is_from_other(self._latest):
            self._compare(before)

    def _compare(self, before: str | None) -> None:
        if self._latest != before:
            now = self._listened_at
            recent = tuple(each for each in self._changes if now - each <= RECENT_SECONDS)
            self._changes = (*recent, now)[-REQUIRED_CHANGES:]

    def _is_from_other(self, heartbeat: str | None) -> bool:
        return heartbeat is not None and not heartbeat.startswith(f"{self._name}:")
