"""Watch whether a store answers, so that whoever wants to know need not ask it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from gcsched.errors import BellUnavailable, StoreRefused, StoreUnavailable
from gcsched.usecases.loops import periodically

EVERY = timedelta(seconds=1)
PATIENCE_SECONDS = 1.0
NOT_ASKED = "not asked yet"


@dataclass(kw_only=True, eq=False)
class Watch:
    """Ask once a second, one question at a time: a silent store is not asked more and more."""

    name: str
    ask: Callable[[], Awaitable[None]]
    clock: Callable[[], float] = time.monotonic
    _asked_at: float | None = field(default=None, init=False)
    _answer: str | None = field(default=NOT_ASKED, init=False)

    @property
    def trouble(self) -> str | None:
        """What is wrong by the latest answer, or by its absence; None: nothing."""
        if self._asked_at is not None:
            waited = self.clock() - self._asked_at
            if waited > PATIENCE_SECONDS:
                return f"no answer for {waited:.0f} s"
        return self._answer

    async def run(self, stop: asyncio.Event) -> None:
        await periodically(self.look, every=EVERY, stop=stop)

    async def look(self) -> None:
        self._asked_at = self.clock()
        try:
            await self.ask()
        except StoreRefused as error:
            self._answer = f"refuses: {error.sentence}"
        except BellUnavailable as error:
            self._answer = f"{'refuses' if error.is_refusal else 'away'}: {error.why}"
        except StoreUnavailable as error:
            self._answer = f"away: {error.why or 'no answer in time'}"
        else:
            self._answer = None
        finally:
            self._asked_at = None
