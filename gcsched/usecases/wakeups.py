"""Wake-ups: one for each due second in the shared queue, and a timer in this process beside it."""

import asyncio
import math
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from functools import partial

from gcsched.errors import RedisUnavailable
from gcsched.usecases.loops import flush_until, sleep_unless
from gcsched.usecases.ports import Clock, WakeUpQueue
from gcsched.usecases.problem_log import ProblemLog

HORIZON = timedelta(seconds=60)  # later seconds are scheduled by the sweep as they come near
MAX_WAIT_FOR_QUEUE = timedelta(milliseconds=50)
BACK_OFF_SECONDS = 2.0
# After each full claim others are to be woken, and a process makes dozens of those a second.
OTHERS_INTERVAL = timedelta(milliseconds=100)
TIMER_MARGIN_SECONDS = 0.001  # timers of the event loop may fire a millisecond early


class WakeUps:
    """Turns due times into wake-ups: a timer for this process, the *queue* for the others.

    A future second is enqueued once. A due time that has passed is enqueued under the present
    second. Seconds beyond HORIZON are left to the sweep.
    """

    def __init__(self, *, queue: WakeUpQueue, nudge: Callable[[], None], now: Clock) -> None:
        self._queue = queue
        self._nudge = nudge
        self._now = now
        self._scheduled: dict[int, asyncio.Future[None]] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._others_woken = datetime.min.replace(tzinfo=UTC)
        self._others_timer: asyncio.TimerHandle | None = None
        self._to_enqueue: list[int] = []
        self._requested = asyncio.Event()
        self._is_away = False
        self._problem_log = ProblemLog(
            event="wake-up failed, retrying", end_event="wake-up queue restored"
        )

    async def schedule_and_wait(self, due: datetime) -> None:
        """Schedule a wake-up at *due*; wait at most 50 ms for the queue, and never fail."""
        if (enqueued := self.schedule(due)) is not None:
            await asyncio.wait([enqueued], timeout=MAX_WAIT_FOR_QUEUE.total_seconds())

    def schedule(self, due: datetime) -> asyncio.Future[None] | None:
        """Schedule a wake-up at *due*; the future is done when the queue has taken it.

        None means that there is nothing to wait for.
        """
        now = self._now()
        if due > now + HORIZON:
            return None  # the queue stays small: at most one entry for each second of HORIZON
        if due <= now:
            self._nudge()
            return self._request(int(now.timestamp()))
        second = math.ceil(due.timestamp())
        self._set_timer(second, now)
        return self._request(second)

    async def find_lost(self, seconds: Collection[int]) -> Collection[int]:
        """Return those of *seconds* that the queue has lost, and allow scheduling them again.

        Nothing is returned while Redis is away; seconds that are still to be enqueued are left out.
        """
        candidates = [second for second in seconds if second not in self._to_enqueue]
        if self._is_away or not candidates:
            return ()
        try:
            missing = await self._queue.find_missing(candidates)
        except RedisUnavailable:
            return ()
        missing = set(missing).difference(self._to_enqueue)
        for second in missing:
            self._scheduled.pop(second, None)
        return missing

    def receive(self, second: int) -> None:
        """Handle a wake-up; one that a fast clock delivered early waits for its second.

        A second beyond HORIZON was not scheduled by this service, so no timer is set for it.
        """
        now = self._now()
        if now.timestamp() < second <= (now + HORIZON).timestamp() + 1:
            self._set_timer(second, now)
        else:
            self._nudge()

    def wake_others(self) -> None:
        """Wake another process: more jobs are due than this process takes.

        At once, or at the end of OTHERS_INTERVAL since the last time, once for all requests in it.
        """
        if self._others_timer is not None or self._is_being_enqueued(self._present_second()):
            return
        since = self._now() - self._others_woken
        if timedelta(0) <= since < OTHERS_INTERVAL:
            wait = (OTHERS_INTERVAL - since).total_seconds()
            self._others_timer = asyncio.get_running_loop().call_later(wait, self._wake_others_now)
        else:  # before zero the clock was set back
            self._wake_others_now()

    def _wake_others_now(self) -> None:
        self._others_timer, self._others_woken = None, self._now()
        second = self._present_second()
        if not self._is_being_enqueued(second):
            self._scheduled.pop(second, None)  # its wake-up was consumed: enqueue another one
        self._request(second)

    def _present_second(self) -> int:
        return int(self._now().timestamp())

    def _is_being_enqueued(self, second: int) -> bool:
        known = self._scheduled.get(second)
        return known is not None and not known.done()

    def _request(self, second: int) -> asyncio.Future[None] | None:
        if self._is_away:
            return None
        known = self._scheduled.get(second)
        if known is not None:
            return None if known.done() else known
        enqueued = asyncio.get_running_loop().create_future()
        self._scheduled[second] = enqueued
        self._to_enqueue.append(second)
        self._requested.set()
        return enqueued

    def _set_timer(self, second: int, now: datetime) -> None:
        # Redis may lose what it took (promise P4): a local timer covers the jobs of this process.
        if second not in self._timers:
            wait = second - now.timestamp() + TIMER_MARGIN_SECONDS
            loop = asyncio.get_running_loop()
            self._timers[second] = loop.call_later(wait, self._on_timer, second)

    def _on_timer(self, second: int) -> None:
        self._timers.pop(second, None)
        self.receive(second)

    async def run(self, stop: asyncio.Event) -> None:
        """Enqueue scheduled seconds until *stop* is set and none is left."""
        await flush_until(
            stop,
            partial(self._enqueue_all, stop),
            requested=self._requested,
            is_left=lambda: bool(self._to_enqueue or self._others_timer),
        )
        for timer in self._timers.values():
            timer.cancel()

    async def _enqueue_all(self, stop: asyncio.Event) -> None:
        if stop.is_set() and self._others_timer is not None:
            self._others_timer.cancel()  # this process takes no more jobs: the others are to
            self._wake_others_now()
        while self._to_enqueue:
            try:
                await self._queue.enqueue(self._to_enqueue[0])
            except RedisUnavailable as error:
                await self._back_off(error, stop)
            else:
                self._problem_log.record_success()
                self._scheduled[self._to_enqueue.pop(0)].set_result(None)
        self._prune()

    async def _back_off(self, error: RedisUnavailable, stop: asyncio.Event) -> None:
        """Leave an unavailable queue alone for 2 s; timers and sweeps do its work meanwhile."""
        self._problem_log.record_failure(error.for_log)
        # Requests during the back-off are not queued: the sweep finds what Redis does not hold.
        self._is_away = True
        for second in self._to_enqueue:
            self._scheduled.pop(second).set_result(None)
        self._to_enqueue.clear()
        await sleep_unless(stop, BACK_OFF_SECONDS)
        self._is_away = False

    def _prune(self) -> None:
        # Seconds beyond HORIZON were scheduled before the clock was set back.
        now = self._now().timestamp()
        kept = range(int(now) - 1, int(now) + int(HORIZON.total_seconds()) + 2)
        for second in [known for known in self._scheduled if known not in kept]:
            if self._scheduled[second].done():
                del self._scheduled[second]
