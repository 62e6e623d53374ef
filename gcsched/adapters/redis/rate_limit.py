"""Two token buckets in Redis that all replicas share, by Redis's own clock.

``gcsched:rate:<relay>`` limits how many mails may be claimed, ``gcsched:rate:<relay>:slots`` spaces
out when each of them leaves.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from redis.asyncio import Redis

from gcsched.adapters.redis.connection import Script, redis_errors
from gcsched.adapters.redis.replies import InvalidReply, expect_integer, expect_integers
from gcsched.domain.token_bucket import RateGrant, RateLimit

PREFIX = "gcsched:rate"
ANSWER_TIMEOUT = timedelta(milliseconds=250)  # short, because mails wait for this answer
MICROSECONDS = 1_000_000
MAX_MICROSECONDS_PER_MAIL = 5_000_000  # as in TAKE: the slowest rate of another replica
ANY_WAIT = 2**62

# Bucket.take and Bucket.give_back of gcsched.domain.token_bucket in one script, in microseconds.
# KEYS[1] holds one number, the instant until which mails are paid for (the generic cell rate
# algorithm): each mail moves it on by the time per mail, and it may run ahead of now by a burst.
# A negative count is a refund. Returns the mails granted, and the wait until the next one.
TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local requested, per_mail, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local paid_until = tonumber(redis.call('GET', KEYS[1]) or 0)
local count = requested
if requested >= 0 then
  -- An idle bucket fills up to now only. The upper bound: Redis's clock may have been set back,
  -- which must not stop all mails; 5 s per mail leaves room for a replica with a lower rate.
  paid_until = math.min(math.max(paid_until, now), now + burst * math.max(per_mail, 5000000))
  local room = math.floor((now - paid_until) / per_mail + burst)
  count = math.max(0, math.min(requested, room))
end
paid_until = paid_until + count * per_mail
if count ~= 0 and paid_until > now then
  -- Once paid_until has passed, the key means the same as no key, so it may expire: a second
  -- later, in milliseconds. '%.0f', because Lua itself prints 1.7e+15, which loses digits.
  local ttl = math.ceil((paid_until - now) / 1000) + 1000
  redis.call('SET', KEYS[1], string.format('%.0f', paid_until), 'PX', ttl)
elseif count < 0 then  -- a refund that leaves nothing paid for
  redis.call('DEL', KEYS[1])
end
return {count, math.max(0, paid_until - now - (burst - 1) * per_mail)}
"""

# Bucket.reserve_slot in microseconds: KEYS[1] as above, on a key of its own. Returns the wait until
# the slot of one mail, or -1 without a reservation if that is longer than max_wait.
RESERVE_SLOT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local per_mail, ahead, max_wait = tonumber(ARGV[1]), ARGV[1] * ARGV[2], tonumber(ARGV[3])
local paid_until = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
-- At this rate no mail can have reserved so late a slot: the clock was set back, or a replica with
-- a lower rate paid more per mail. Start again behind a full burst.
if paid_until > now + ahead + max_wait then
  paid_until = now + ahead
end
paid_until = paid_until + per_mail
local wait = math.max(0, paid_until - ahead - now)
if wait > max_wait then
  return -1
end
local ttl = math.ceil((paid_until - now) / 1000) + 1000
redis.call('SET', KEYS[1], string.format('%.0f', paid_until), 'PX', ttl)
return wait
"""


@dataclass(kw_only=True, eq=False)
class RedisBucket:
    """A RateAllowance for all replicas; each call is one script, which Redis runs atomically."""

    redis: Redis
    relay: str
    _take_script: Script = field(init=False)
    _slot_script: Script = field(init=False)

    def __post_init__(self) -> None:
        self._take_script = Script(self.redis, TAKE)
        self._slot_script = Script(self.redis, RESERVE_SLOT)

    async def reserve(self, most: int, limit: RateLimit) -> RateGrant:
        with redis_errors("reserving from the rate"):
            answer = await self._run_take(most, limit)
            count, wait = expect_integers(answer, (0, most), (0, max_wait_microseconds(limit)))
            if count == 0 and wait == 0:  # the caller would ask again at once, without end
                raise InvalidReply(answer, "a grant or a wait")
        return RateGrant(count=count, wait_seconds=wait / MICROSECONDS)

    async def refund(self, count: int, limit: RateLimit) -> None:
        with redis_errors("refunding the rate"):
            expect_integers(await self._run_take(-count, limit), (-count, -count), (0, ANY_WAIT))

    async def reserve_slot(self, limit: RateLimit, *, max_wait: float) -> float | None:
        longest = round(max_wait * MICROSECONDS)
        with redis_errors("reserving a slot"):
            async with asyncio.timeout(ANSWER_TIMEOUT.total_seconds()):
                keys = [f"{PREFIX}:{self.relay}:slots"]
                answer = await self._slot_script.run(
                    keys, microseconds_per_mail(limit), limit.burst, longest
                )
            wait = expect_integer(answer, least=-1, most=longest)
        return None if wait < 0 else wait / MICROSECONDS

    async def _run_take(self, count: int, limit: RateLimit) -> object:
        async with asyncio.timeout(ANSWER_TIMEOUT.total_seconds()):
            keys = [f"{PREFIX}:{self.relay}"]
            return await self._take_script.run(
                keys, count, microseconds_per_mail(limit), limit.burst
            )


def max_wait_microseconds(limit: RateLimit) -> int:
    """Return the longest wait that TAKE can answer: its paid_until is bounded."""
    return (limit.burst + 1) * max(microseconds_per_mail(limit), MAX_MICROSECONDS_PER_MAIL)


def microseconds_per_mail(limit: RateLimit) -> int:
    return max(1, round(limit.seconds_per_mail * MICROSECONDS))
