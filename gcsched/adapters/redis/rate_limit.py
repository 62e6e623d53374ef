"""Two buckets in Redis that all replicas take from, by Redis's own clock.

``gcsched:rate:<relay>`` says how many mails may be claimed, ``gcsched:rate:<relay>:slots`` when
each of them leaves.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from redis.asyncio import Redis

from gcsched.adapters.redis.connection import Script, redis_errors
from gcsched.adapters.redis.replies import InvalidReply, expect_integer, expect_integers
from gcsched.domain.token_bucket import RateGrant, RateLimit

PREFIX = "gcsched:rate"
ANSWER_TIMEOUT = timedelta(milliseconds=250)  # mails wait for this answer
MICROSECONDS = 1_000_000
MAX_MICROSECONDS_PER_MAIL = 5_000_000  # as in TAKE: what a slower replica may have paid for
ANY_WAIT = 2**62

# As gcsched.domain.token_bucket.Bucket, in whole microseconds. Less than nothing wanted: a refund.
TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local wanted, per_mail, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local paid_until = tonumber(redis.call('GET', KEYS[1]) or 0)
local count = wanted
if wanted >= 0 then
  -- A clock that was set back must not stop everything.
  paid_until = math.min(math.max(paid_until, now), now + burst * math.max(per_mail, 5000000))
  local room = math.floor((now - paid_until) / per_mail + burst)
  count = math.max(0, math.min(wanted, room))
end
paid_until = paid_until + count * per_mail
if count ~= 0 and paid_until > now then
  local life = math.ceil((paid_until - now) / 1000) + 1000
  redis.call('SET', KEYS[1], string.format('%.0f', paid_until), 'PX', life)
elseif count < 0 then
  redis.call('DEL', KEYS[1])
end
return {count, math.max(0, paid_until - now - (burst - 1) * per_mail)}
"""

# As Bucket.line_up.
RESERVE_SLOT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local per_mail, ahead, patience = tonumber(ARGV[1]), ARGV[1] * ARGV[2], tonumber(ARGV[3])
local paid_until = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
-- Nobody at this speed stands there: a clock was set back, or somebody slower pays for more.
if paid_until > now + ahead + patience then
  paid_until = now + ahead
end
paid_until = paid_until + per_mail
local wait = math.max(0, paid_until - ahead - now)
if wait > patience then
  return -1
end
local life = math.ceil((paid_until - now) / 1000) + 1000
redis.call('SET', KEYS[1], string.format('%.0f', paid_until), 'PX', life)
return wait
"""


@dataclass(kw_only=True, eq=False)
class RedisBucket:
    """An Allowance for all replicas; one script does it all, so nobody comes in between."""

    redis: Redis
    relay: str
    _take_script: Script = field(init=False)
    _slot_script: Script = field(init=False)

    def __post_init__(self) -> None:
        self._take_script = Script(self.redis, TAKE)
        self._slot_script = Script(self.redis, RESERVE_SLOT)

    async def reserve(self, most: int, limit: RateLimit) -> RateGrant:
        with redis_errors("asking for the rate"):
            answer = await self._run_take(most, limit)
            count, wait = expect_integers(answer, (0, most), (0, max_wait_microseconds(limit)))
            if count == 0 and wait == 0:  # it would be asked for ever
                raise InvalidReply(answer, "a grant or a wait")
        return RateGrant(count=count, wait_seconds=wait / MICROSECONDS)

    async def refund(self, count: int, limit: RateLimit) -> None:
        with redis_errors("giving back to the rate"):
            expect_integers(await self._run_take(-count, limit), (-count, -count), (0, ANY_WAIT))

    async def reserve_slot(self, limit: RateLimit, *, max_wait: float) -> float | None:
        most = round(max_wait * MICROSECONDS)
        with redis_errors("asking for a slot"):
            async with asyncio.timeout(ANSWER_TIMEOUT.total_seconds()):
                keys = [f"{PREFIX}:{self.relay}:slots"]
                answer = await self._slot_script.run(
                    keys, microseconds_per_mail(limit), limit.burst, most
                )
            wait = expect_integer(answer, least=-1, most=most)
        return None if wait < 0 else wait / MICROSECONDS

    async def _run_take(self, count: int, speed: RateLimit) -> object:
        async with asyncio.timeout(ANSWER_TIMEOUT.total_seconds()):
            keys = [f"{PREFIX}:{self.relay}"]
            return await self._take_script.run(
                keys, count, microseconds_per_mail(speed), speed.burst
            )


def max_wait_microseconds(limit: RateLimit) -> int:
    """Return the microseconds that TAKE answers at most: its bucket is never fuller than that."""
    return (limit.burst + 1) * max(microseconds_per_mail(limit), MAX_MICROSECONDS_PER_MAIL)


def microseconds_per_mail(limit: RateLimit) -> int:
    return max(1, round(limit.seconds_per_mail * MICROSECONDS))
