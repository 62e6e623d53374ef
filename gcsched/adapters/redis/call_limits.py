"""The calls of clients at all processes: buckets in Redis, ``gcsched:calls:<location>:<client>``.

A process adds the calls that it has accepted, and gets back what all have accepted. No call waits
for that, so a bucket may be overdrawn; what is overdrawn has to be paid for first.
"""

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from redis.asyncio import Redis

from gcsched.adapters.redis.connection import Script, redis_errors
from gcsched.adapters.redis.replies import expect_integers
from gcsched.domain.token_bucket import RateLimit
from gcsched.usecases.ports import CallsTogether

PREFIX = "gcsched:calls"
ANSWER_TIMEOUT = timedelta(milliseconds=250)
MICROSECONDS = 1_000_000
MAX_OVERDRAFT = 2  # bursts: a client that exceeded its limit at many processes is not locked out
MAX_PROCESSES = 10_000
MAX_AGE_SECONDS = 60.0

# KEYS[1] is a hash: `paid_until`, as in TAKE of rate_limit.py, and for each process when it last
# added calls. Returns by how many microseconds the calls are ahead, and the number of processes.
ADD = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local process, calls = ARGV[1], tonumber(ARGV[2])
local per_call, burst, overdraft = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
-- The calls were made since then: they are not paid for from now on only.
local paid_until, processes = now - tonumber(ARGV[6]), 1
local stored = redis.call('HGETALL', KEYS[1])
for index = 1, #stored, 2 do
  local name, value = stored[index], tonumber(stored[index + 1]) or 0
  if name == 'paid_until' then
    paid_until = math.max(paid_until, value)
  elseif math.abs(now - value) > 5000000 then  -- it is gone, or the clock was set back
    redis.call('HDEL', KEYS[1], name)
  elseif name ~= process then
    processes = processes + 1
  end
end
-- The bound also counts after the clock was set back: it must not stop the client for long.
paid_until = math.min(paid_until + calls * per_call, now + overdraft * burst * per_call)
redis.call('HSET', KEYS[1], 'paid_until', string.format('%.0f', paid_until),
  process, string.format('%.0f', now))
local ahead = math.max(0, paid_until - now)
redis.call('PEXPIRE', KEYS[1], math.ceil(ahead / 1000) + 10000)
return {ahead, processes}
"""


@dataclass(kw_only=True, eq=False)
class RedisCalls:
    """The port `SharedCalls` for the processes that use the MongoDB at *mongo_location*."""

    redis: Redis
    mongo_location: str
    _process: str = field(default_factory=lambda: secrets.token_hex(8), init=False)
    _script: Script = field(init=False)

    def __post_init__(self) -> None:
        self._script = Script(self.redis, ADD)

    async def add(
        self, client: str, calls: int, limit: RateLimit, *, age_seconds: float
    ) -> CallsTogether:
        per_call = max(1, round(limit.seconds_per_mail * MICROSECONDS))
        most = MAX_OVERDRAFT * limit.burst * per_call
        age = round(min(age_seconds, MAX_AGE_SECONDS) * MICROSECONDS)
        with redis_errors("counting the calls of clients"):
            async with asyncio.timeout(ANSWER_TIMEOUT.total_seconds()):
                keys = [f"{PREFIX}:{self.mongo_location}:{client}"]
                answer = await self._script.run(
                    keys, self._process, calls, per_call, limit.burst, MAX_OVERDRAFT, age
                )
            ahead, processes = expect_integers(answer, (0, most), (1, MAX_PROCESSES))
        return CallsTogether(ahead_seconds=ahead / MICROSECONDS, processes=processes)
