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

from gcsched.errors import RedisUnavailable
from gcsched.usecases.loops import run_periodically
from gcsched.usecases.ports import HeartbeatStore

EVERY = timedelta(seconds=1)
# Longer than an election. Longer, too, than what is under way when MongoDB goes away for all: a
# question of this process (1 s) and the beat of another, which Redis may take 2 s to answer.
CUT_OFF_AFTER_SECONDS = 15.0
RECENT_SECONDS = 5.0
REQUIRED_CHANGES = 2


def always_serving() -> bool:
    """Be the *is_serving* of a process that serves from its first moment to its last."""
    return True


@dataclass(kw_only=True, eq=False)
class Heartbeat:
    """Beat while MongoDB is reached, listen for the beats of others while it is not.

    Only beats that come while this process listens count, and only from the second on: what Redis
    still holds from before, what comes late of a process that has just lost MongoDB too, or what
    stays for ever because Redis' clock stands, says nothing. One that does not serve takes no
    calls, so it does not beat. Without Redis nobody is cut off *alone*.
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
        """Return why calls should go to other processes; None: they need not."""
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
        """Beat or listen, once; a Redis that fails costs nothing but the knowledge."""
        try:
            if self.is_reached():
                self._away_since, self._latest, self._changes = None, None, ()
                await self._beat()
            else:
                await self._listen()
        except RedisUnavailable:
            self._latest = None  # what came meanwhile was not heard

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
            return  # as after a freeze: what was there before may have changed long ago
        if self._is_of_another(before) and self._is_of_another(self._latest):
            self._compare(before)

    def _compare(self, before: str | None) -> None:
        if self._latest != before:
            now = self._listened_at
            recent = tuple(each for each in self._changes if now - each <= RECENT_SECONDS)
            self._changes = (*recent, now)[-REQUIRED_CHANGES:]

    def _is_of_another(self, mark: str | None) -> bool:
        return mark is not None and not mark.startswith(f"{self._name}:")
