"""The clock of all replicas: this machine's, corrected by its difference from MongoDB's."""

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
    """The time, corrected by the difference from MongoDB's clock if that is above TOLERANCE.

    Between two measurements it runs on the monotonic clock. If an operator sets this machine's
    clock, nothing changes here; otherwise jobs that are due could expire by a typing error.
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
        """Measure once a minute, and within a second after this machine's clock was set."""
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
        """Return a number that stays the same until this machine's clock is set."""
        return self.local().timestamp() - time.monotonic()

    async def measure(self) -> timedelta:
        """Read the server's time and correct ours; return the difference (server minus ours).

        Of a few samples the one with the shortest round trip counts (RFC 5905, section 10).
        """
        # Before the samples: if the clock is set while they are taken, the next check finds it.
        monotonic_offset = self._find_monotonic_offset()
        difference = min([await self._sample() for _ in range(SAMPLES)])[1]
        offset = difference if abs(difference) > TOLERANCE else timedelta(0)
        if abs(offset - self.offset) > TOLERANCE:
            structlog.get_logger().warning(
                "clock differs from MongoDB's", seconds=round(difference.total_seconds(), 3)
            )
        self.offset, self._monotonic_offset = offset, monotonic_offset
        return difference

    async def _sample(self) -> tuple[float, timedelta]:
        sent_at, start = self.local(), time.monotonic()
        with store_errors("reading the server's time"):
            reply = await self.mongo.database.command("hello")
        took = time.monotonic() - start
        # A command's reply has naive times in UTC, whatever the client's options are.
        server: datetime = reply["localTime"].replace(tzinfo=UTC)
        return took, server - (sent_at + timedelta(seconds=took / 2))
