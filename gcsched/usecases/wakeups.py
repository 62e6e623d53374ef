"""Ring the bell, once for each due second, and keep a timer of our own beside it."""

import asyncio
import math
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial

from gcsched.errors import BellUnavailable
from gcsched.usecases.lasting_trouble import LastingTrouble
from gcsched.usecases.loops import flush_until, sleep_unless
from gcsched.usecases.ports import Bell, Clock

HORIZON = timedelta(seconds=60)
LONGEST_WAIT_FOR_BELL = timedelta(milliseconds=50)
QUIET_SECONDS = 2.0
PAST_THE_SECOND = 0.001  # timers of the loop may be a millisecond early


class Ringer:
    """Turn due times into wake-ups: for this process by a timer, for the others by the bell.

    A second still to come is rung once; what is due already rings under the present second.
    Seconds beyond HORIZON are left to the sweep.
    """

    def __init__(self, *, bell: Bell, nudge: Callable[[], None], now: Clock) -> None:
        self._bell = bell
        self._nudge = nudge
        self._now = now
        self._rung: dict[int, asyncio.Future[None]] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._to_ring: list[int] = []
        self._asked = asyncio.Event()
        self._is_away = False
        self._trouble = LastingTrouble(event="bell not rung", over="bell rung again")

    async def ring(self, due: datetime) -> None:
        """See to it that *due* is not missed; waits for the bell at most 50 ms, never fails."""
        if (rung := self.ask(due)) is not None:
            await asyncio.wait([rung], timeout=LONGEST_WAIT_FOR_BELL.total_seconds())

    def ask(self, due: datetime) -> asyncio.Future[None] | None:
        """Ring soon, without waiting; the future is done when the bell has heard it."""
        now = self._now()
        if due > now + HORIZON:
            return None
        if due <= now:
            self._nudge()
            return self._ask_for(int(now.timestamp()))
        second = math.ceil(due.timestamp())
        self._set_timer(second, now)
        return self._ask_for(second)

    async def lost(self, seconds: Collection[int]) -> Collection[int]:
        """Give those of *seconds* that the bell does not have; they can be asked for again.

        Nothing while nobody can tell, and nothing of what is being rung just now.
        """
        asked = [second for second in seconds if second not in self._to_ring]
        if self._is_away or not asked:
            return ()
        try:
            missing = await self._bell.missing(asked)
        except BellUnavailable:
            return ()
        missing = set(missing).difference(self._to_ring)
        for second in missing:
            self._rung.pop(second, None)
        return missing

    def hear(self, second: int) -> None:
        """Act on a wake-up; one that a fast clock picked too early waits for its second.

        Beyond HORIZON nobody rings: that is no second of ours, and no timer is kept for it.
        """
        now = self._now()
        if now.timestamp() < second <= (now + HORIZON).timestamp() + 1:
            self._set_timer(second, now)
        else:
            self._nudge()

    def ring_for_others(self) -> None:
        """Wake some process for what is due and more than this one takes."""
        second = int(self._now().timestamp())
        if (known := self._rung.get(second)) is not None and known.done():
            del self._rung[second]
        self._ask_for(second)

    def _ask_for(self, second: int) -> asyncio.Future[None] | None:
        if self._is_away:
            return None
        known = self._rung.get(second)
        if known is not None:
            return None if known.done() else known
        rung = asyncio.get_running_loop().create_future()
        self._rung[second] = rung
        self._to_ring.append(second)
        self._asked.set()
        return rung

    def _set_timer(self, second: int, now: datetime) -> None:
        # The bell may lose what it took (P4), so this process also remembers by itself.
        if second not in self._timers:
            wait = second - now.timestamp() + PAST_THE_SECOND
            loop = asyncio.get_running_loop()
            self._timers[second] = loop.call_later(wait, self._on_timer, second)

    def _on_timer(self, second: int) -> None:
        self._timers.pop(second, None)
        self.hear(second)

    async def run(self, stop: asyncio.Event) -> None:
        """Carry what was asked to the bell, until *stop* and nothing is left to ring."""
        await flush_until(
            stop,
            partial(self._ring_all, stop),
            asked=self._asked,
            is_left=lambda: bool(self._to_ring),
        )
        for timer in self._timers.values():
            timer.cancel()

    async def _ring_all(self, stop: asyncio.Event) -> None:
        while self._to_ring:
            try:
                await self._bell.ring(self._to_ring[0])
            except BellUnavailable as error:
                await self._leave_alone(error, stop)
            else:
                self._trouble.ended()
                self._rung[self._to_ring.pop(0)].set_result(None)
        self._prune()

    async def _leave_alone(self, error: BellUnavailable, stop: asyncio.Event) -> None:
        """Let an absent bell be for a moment: timers and sweeps do its work meanwhile."""
        self._trouble.met(error.for_log)
        self._is_away = True
        for second in self._to_ring:
            self._rung.pop(second).set_result(None)
        self._to_ring.clear()
        await sleep_unless(stop, QUIET_SECONDS)
        self._is_away = False

    def _prune(self) -> None:
        # What lies beyond HORIZON was rung before the clock was set back.
        now = self._now().timestamp()
        kept = range(int(now) - 1, int(now) + int(HORIZON.total_seconds()) + 2)
        for second in [known for known in self._rung if known not in kept]:
            if self._rung[second].done():
                del self._rung[second]
