"""Ask Redis for what the service does with it: an answer alone proves nothing.

A replica, a full one, a member of a cluster, or one whose user may not touch our keys answers PING
and reads like any other, and takes no wake-up.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from arq.connections import ArqRedis
from redis.asyncio import Redis

from gcsched.adapters.redis.arq_client import ABORTED, QUEUE, job_keys
from gcsched.adapters.redis.connection import PREFIX as SENT
from gcsched.adapters.redis.connection import Script, redis_errors
from gcsched.adapters.redis.rate_limit import PREFIX as RATE
from gcsched.adapters.redis.replies import InvalidReply, expect_null

# A little less than five looks of the watch, so that it is every fifth.
BETWEEN_WRITES_SECONDS = 4.5
TTL_MS = 10_000  # of what a Redis leaves behind that takes the writes and dies, or may not delete

# The commands of NOTE, TAKE and SLOT.
PROBE_SCRIPT = """
redis.call('TIME')
local kept = {}
for place, key in ipairs(KEYS) do
  redis.call('SET', key, ARGV[1], 'PX', ARGV[2])
  kept[place] = redis.call('GET', key)
  redis.call('DEL', key)
end
return kept
"""


@dataclass(kw_only=True, eq=False)
class RedisProbe:
    """Do on keys of its own what the service does: as its scripts, and as ARQ and its other reads.

    Nothing is left of it, and nobody else sees a key: each step deletes what it writes. It takes
    four round trips, so that a Redis far away is not mistaken for a silent one. While that
    succeeds, it is done every five seconds, and each other time one key is read: work that fails
    tells of itself, and what is done for ever is not to cost a Redis of many processes much.
    """

    redis: Redis
    arq: ArqRedis
    clock: Callable[[], float] = time.monotonic
    _checked_writes_at: float | None = field(default=None, init=False)
    _mark: str = field(default_factory=lambda: secrets.token_hex(8), init=False)
    _script: Script = field(init=False)

    def __post_init__(self) -> None:
        self._script = Script(self.redis, PROBE_SCRIPT)

    async def check(self) -> None:
        """Raise RedisUnavailable unless Redis takes what the service writes, and gives it back."""
        now = self.clock()
        if (
            self._checked_writes_at is not None
            and now - self._checked_writes_at < BETWEEN_WRITES_SECONDS
        ):
            await self._check_reads()
            return
        self._checked_writes_at = None  # what fails is tried again at once
        await self._check_writes()
        self._checked_writes_at = now

    async def _check_reads(self) -> None:
        with redis_errors("reading from Redis"):
            expect_null(await self.redis.get(f"{RATE}:probe:{self._mark}"))

    async def _check_writes(self) -> None:
        ours = [f"{prefix}:probe:{self._mark}" for prefix in (SENT, RATE)]
        with redis_errors("trying what the service does with Redis"):
            kept = await self._script.run(ours, self._mark, TTL_MS)
            self._expect_mark(kept, len(ours))
            await self._check_arq_commands(ours, *job_keys(f"gcsched:probe:{self._mark}"))

    async def _check_arq_commands(
        self, ours: list[str], job: str, in_progress: str, retries: str, result: str
    ) -> None:
        async with self.arq.pipeline(transaction=True) as pipeline:
            transaction: Any = pipeline
            await transaction.watch(job)
            await transaction.exists(job, result)
            transaction.multi()
            transaction.psetex(job, TTL_MS, self._mark)
            transaction.psetex(in_progress, TTL_MS, self._mark)
            transaction.pexpire(in_progress, TTL_MS)
            transaction.incr(retries)
            transaction.expire(retries, TTL_MS // 1000)
            transaction.zadd(QUEUE, {self._mark: 0}, xx=True)  # only what is there: nothing
            transaction.zscore(QUEUE, self._mark)
            transaction.zcard(QUEUE)
            transaction.zrangebyscore(QUEUE, "-inf", "-inf", start=0, num=1)
            transaction.zrem(QUEUE, self._mark)
            transaction.zrem(ABORTED, self._mark)
            transaction.get(job)
            transaction.mget(job, in_progress)
            transaction.unlink(*ours)
            transaction.delete(job, in_progress, retries)
            *_, kept, _, _ = await transaction.execute()
        self._expect_mark(kept, 2)

    def _expect_mark(self, answer: object, count: int) -> None:
        if answer != [self._mark.encode()] * count:  # text is wrong, too: readers expect octets
            raise InvalidReply(answer, "what it was sent")
