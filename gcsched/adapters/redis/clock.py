"""Notice when Redis's clock differs. It is told, not corrected: Redis decides no due time."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from redis.asyncio import Redis

from gcsched.adapters.redis.connection import bell_errors
from gcsched.adapters.redis.replies import integers
from gcsched.errors import BellUnavailable
from gcsched.usecases.loops import sleep_unless
from gcsched.usecases.ports import Clock

NEGLIGIBLE = timedelta(milliseconds=500)
SAMPLES = 3
EVERY_SECONDS = 60.0
LATEST = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())


@dataclass(slots=True, kw_only=True)
class RedisClockWatch:
    """Compare Redis's clock with *now* once a minute; a difference is told when it changes."""

    redis: Redis
    now: Clock
    _told: timedelta = field(default=timedelta(0), init=False)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with suppress(BellUnavailable):
                await self.measure()
            await sleep_unless(stop, EVERY_SECONDS)

    async def measure(self) -> timedelta:
        """Give the difference (Redis minus ours), by the sample with the shortest round trip."""
        difference = min([await self._sample() for _ in range(SAMPLES)])[1]
        noticed = difference if abs(difference) > NEGLIGIBLE else timedelta(0)
        if abs(noticed - self._told) > NEGLIGIBLE:
            structlog.get_logger().warning(
                "clock of Redis differs", seconds=round(difference.total_seconds(), 3)
            )
            self._told = noticed
        return difference

    async def _sample(self) -> tuple[timedelta, timedelta]:
        asked = self.now()
        with bell_errors("asking for Redis's time"):
            answer = await self.redis.time()
            seconds, microseconds = integers([*answer], (0, LATEST), (0, 999_999))
        took = self.now() - asked
        redis = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)
        return abs(took), redis - (asked + took / 2)
