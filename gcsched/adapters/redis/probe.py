"""Probe Redis with the commands that the service uses: an answer to PING alone proves nothing.

A replica, a Redis without memory, a member of a cluster, and one whose user may not use our keys
all answer PING and reads, but none of them takes a wake-up.
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

# A little less than five intervals of the store check, so that every fifth check writes.
BETWEEN_WRITES_SECONDS = 4.5
TTL_MS = 10_000  # removes the keys where Redis dies before it deletes them, or may not delete

# The commands of ADD_MARKERS, TAKE and RESERVE_SLOT: a user may lack the right to one of them.
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
    """Runs the commands of the service, of its scripts and of ARQ, on keys of its own.

    Each step deletes what it writes, so no key remains and no other process sees one. A check takes
    four round trips at most, so that a distant Redis is not mistaken for a silent one. While checks
    succeed, only every fifth one writes and the others read one key: failing work reports itself,
    and many processes share one Redis.
    """

    redis: Redis
    arq: ArqRedis
    clock: Callable[[], float] = time.monotonic
    _checked_writes_at: float | None = field(default=None, init=False)
    _nonce: str = field(default_factory=lambda: secrets.token_hex(8), init=False)
    _script: Script = field(init=False)

    def __post_init__(self) -> None:
        self._script = Script(self.redis, PROBE_SCRIPT)

    async def check(self) -> None:
        """Raise RedisUnavailable unless Redis stores what the service writes, and returns it."""
        now = self.clock()
        if (
            self._checked_writes_at is not None
            and now - self._checked_writes_at < BETWEEN_WRITES_SECONDS
        ):
            await self._check_reads()
            return
        self._checked_writes_at = None  # after a failure, the next check writes again
        await self._check_writes()
        self._checked_writes_at = now

    async def _check_reads(self) -> None:
        with redis_errors("reading from Redis"):
            expect_null(await self.redis.get(f"{RATE}:probe:{self._nonce}"))

    async def _check_writes(self) -> None:
        own_keys = [f"{prefix}:probe:{self._nonce}" for prefix in (SENT, RATE)]
        with redis_errors("probing the commands of the service"):
            kept = await self._script.run(own_keys, self._nonce, TTL_MS)
            self._expect_nonce(kept, len(own_keys))
            await self._check_arq_commands(own_keys, *job_keys(f"gcsched:probe:{self._nonce}"))

    async def _check_arq_commands(
        self, own_keys: list[str], job: str, in_progress: str, retries: str, result: str
    ) -> None:
        async with self.arq.pipeline(transaction=True) as pipeline:
            transaction: Any = pipeline
            await transaction.watch(job)
            await transaction.exists(job, result)
            transaction.multi()
            transaction.psetex(job, TTL_MS, self._nonce)
            transaction.psetex(in_progress, TTL_MS, self._nonce)
            transaction.pexpire(in_progress, TTL_MS)
            transaction.incr(retries)
            transaction.expire(retries, TTL_MS // 1000)
            transaction.zadd(QUEUE, {self._nonce: 0}, xx=True)  # XX: adds nothing to the queue
            transaction.zscore(QUEUE, self._nonce)
            transaction.zcard(QUEUE)
            transaction.zrangebyscore(QUEUE, "-inf", "-inf", start=0, num=1)
            transaction.zrem(QUEUE, self._nonce)
            transaction.zrem(ABORTED, self._nonce)
            transaction.get(job)
            transaction.mget(job, in_progress)
            transaction.unlink(*own_keys)
            transaction.delete(job, in_progress, retries)
            *_, kept, _, _ = await transaction.execute()
        self._expect_nonce(kept, 2)

    def _expect_nonce(self, answer: object, count: int) -> None:
        if answer != [self._nonce.encode()] * count:  # bytes, as text would mean decode_responses
            raise InvalidReply(answer, "the value it was sent")
