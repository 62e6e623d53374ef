"""One clock for every replica: the database's, as far as this machine's differs from it."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from gcsched.adapters.mongo.connection import Mongo, store_errors
from gcsched.errors import StoreUnavailable
from gcsched.usecases.loops import sleep_unless

TOLERANCE = timedelta(milliseconds=100)
SAMPLES = 3
MEASURE_INTERVAL_SECONDS = 60.0
CHECK_INTERVAL_SECONDS = 1.0


@dataclass(slots=True, kw_only=True)
class ServerClock:
    """Tell the time, corrected by the difference to MongoDB's clock where that is noticeable.

    From one measurement to the next it goes on by the monotonic clock: whoever sets this machine's
    clock sets nothing here, or what is due would expire by a slip of the hand.
    """

    mongo: Mongo
    local: Callable[[], datetime]
    offset: timedelta = field(default=timedelta(0), init=False)
    _monotonic_offset: float = field(init=False)

    def __post_init__(self) -> None:
        self._monotonic_offset = self._find_monotonic_offset()

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(time.monotonic() + self._monotonic_offset, UTC) + self.offset

    async def run(self, stop: asyncio.Event) -> None:
        """Measure again once a minute, and within a second when somebody has set our clock."""
        while not stop.is_set():
            await self._wait_until_measuring(stop)
            with suppress(StoreUnavailable):
                await self.measure()

    async def _wait_until_measuring(self, stop: asyncio.Event) -> None:
        until = time.monotonic() + MEASURE_INTERVAL_SECONDS
        while not stop.is_set() and (left := until - time.monotonic()) > 0:
            await sleep_unless(stop, min(left, CHECK_INTERVAL_SECONDS))
            if (
                abs(self._find_monotonic_offset() - self._monotonic_offset)
                > TOLERANCE.total_seconds()
            ):
                return

    def _find_monotonic_offset(self) -> float:
        """Give a number that stays the same until somebody sets the clock."""
        return self.local().timestamp() - time.monotonic()

    async def measure(self) -> timedelta:
        """Ask the server for its time and correct ours; give the difference (server minus ours).

        Of a few samples the one with the shortest round trip counts (RFC 5905, section 10).
        """
        ahead = self._find_monotonic_offset()
        difference = min([await self._sample() for _ in range(SAMPLES)])[1]
        offset = difference if abs(difference) > TOLERANCE else timedelta(0)
        if abs(offset - self.offset) > TOLERANCE:
            structlog.get_logger().warning(
                "clock differs from MongoDB's", seconds=round(difference.total_seconds(), 3)
            )
        self.offset, self._monotonic_offset = offset, ahead
        return difference

    async def _sample(self) -> tuple[float, timedelta]:
        asked, begun = self.local(), time.monotonic()
        with store_errors("asking for the server's time"):
            answer = await self.mongo.database.command("hello")
        took = time.monotonic() - begun
        # A command's answer has naive times, in UTC, whatever the client's options say.
        server: datetime = answer["localTime"].replace(tzinfo=UTC)
        return took, server - (asked + timedelta(seconds=took / 2))
