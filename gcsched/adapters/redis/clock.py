"""Measure Redis's clock. A difference is logged, not corrected: no due time depends on it."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from redis.asyncio import Redis

from gcsched.adapters.redis.connection import redis_errors
from gcsched.adapters.redis.replies import expect_integers
from gcsched.errors import RedisUnavailable
from gcsched.usecases.loops import sleep_unless
from gcsched.usecases.ports import Clock

TOLERANCE = timedelta(milliseconds=500)
SAMPLES = 3
MEASURE_INTERVAL_SECONDS = 60.0
MAX_UNIX_TIME = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())


@dataclass(slots=True, kw_only=True)
class RedisClockCheck:
    """Compares Redis's clock with *now* once a minute, and logs the difference when it changes."""

    redis: Redis
    now: Clock
    _reported: timedelta = field(default=timedelta(0), init=False)

    @property
    def offset(self) -> timedelta:
        """How far Redis's clock is ahead, as last measured; 0 if that does not matter."""
        return self._reported

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with suppress(RedisUnavailable):
                await self.measure()
            await sleep_unless(stop, MEASURE_INTERVAL_SECONDS)

    async def measure(self) -> timedelta:
        """Return Redis's time minus this process's, by the sample with the shortest round trip."""
        # The shorter the round trip, the smaller the error: the answer was made within it.
        difference = min([await self._sample() for _ in range(SAMPLES)])[1]
        notable = difference if abs(difference) > TOLERANCE else timedelta(0)
        if abs(notable - self._reported) > TOLERANCE:
            structlog.get_logger().warning(
                "clock of Redis differs", seconds=round(difference.total_seconds(), 3)
            )
            self._reported = notable
        return difference

    async def _sample(self) -> tuple[timedelta, timedelta]:
        start = self.now()
        with redis_errors("reading Redis's time"):
            answer = await self.redis.time()
            seconds, microseconds = expect_integers([*answer], (0, MAX_UNIX_TIME), (0, 999_999))
        took = self.now() - start
        redis_time = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)
        return abs(took), redis_time - (start + took / 2)  # assumes both ways took as long
