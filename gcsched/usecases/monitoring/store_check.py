"""Checks whether a store answers, so that probes and reports need not ask it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from gcsched.errors import RedisUnavailable, StoreRefused, StoreUnavailable
from gcsched.usecases.loops import run_periodically

EVERY = timedelta(seconds=1)
ANSWER_WITHIN_SECONDS = 1.0
NOT_CHECKED = "not checked yet"


@dataclass(kw_only=True, eq=False)
class StoreCheck:
    """Pings a store once a second, one ping at a time: pings to a silent store do not pile up."""

    name: str
    ping: Callable[[], Awaitable[None]]
    clock: Callable[[], float] = time.monotonic
    _started_at: float | None = field(default=None, init=False)
    _answer: str | None = field(default=NOT_CHECKED, init=False)

    @property
    def problem(self) -> str | None:
        """The problem that the latest ping found, or that it has no answer yet; else None."""
        if self._started_at is not None:
            waited = self.clock() - self._started_at
            if waited > ANSWER_WITHIN_SECONDS:
                return f"no answer for {waited:.0f} s"
        return self._answer

    async def run(self, stop: asyncio.Event) -> None:
        await run_periodically(self.check, every=EVERY, stop=stop)

    async def check(self) -> None:
        self._started_at = self.clock()
        try:
            await self.ping()
        except StoreRefused as error:
            self._answer = f"refuses: {error.sentence}"
        except RedisUnavailable as error:
            self._answer = f"{'refuses' if error.is_refusal else 'away'}: {error.why}"
        except StoreUnavailable as error:
            self._answer = f"away: {error.why or 'no answer in time'}"
        else:
            self._answer = None
        finally:
            # Until here `problem` reports how long the ping has had no answer.
            self._started_at = None
