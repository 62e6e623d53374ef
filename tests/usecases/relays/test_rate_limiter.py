"""Rate limiter and allowance with a clock that stands still; the shared bucket can be away."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from gcsched.domain.smtp_reply import Answered, Broken, Reply, Stage
from gcsched.domain.token_bucket import RateGrant, RateLimit
from gcsched.errors import RedisUnavailable
from gcsched.usecases.ports import RateAllowance
from gcsched.usecases.relays.rate_allowance import LocalRateAllowance, SharedRateAllowance
from gcsched.usecases.relays.rate_limiter import RateLimiter
from tests.support.builders import a_job
from tests.support.clocks import FakeMonotonicClock
from tests.support.log_events import Events

TAKEN = Answered(Reply(stage=Stage.BODY, code=250))
TOO_FAST = Answered(Reply(stage=Stage.MAIL, code=421, enhanced_code="4.7.0", text="slow down"))


@dataclass
class FakeSharedAllowance:
    """A shared bucket: real, in memory; can be away."""

    clock: Callable[[], float]
    is_away: bool = False
    call_count: int = 0
    bucket: LocalRateAllowance = field(init=False)

    def __post_init__(self) -> None:
        self.bucket = LocalRateAllowance(clock=self.clock)

    async def reserve(self, most: int, limit: RateLimit) -> RateGrant:
        self.record_call()
        return await self.bucket.reserve(most, limit)

    async def refund(self, count: int, limit: RateLimit) -> None:
        self.record_call()
        await self.bucket.refund(count, limit)

    async def reserve_slot(self, limit: RateLimit, *, max_wait: float) -> float | None:
        self.record_call()
        return await self.bucket.reserve_slot(limit, max_wait=max_wait)

    def record_call(self) -> None:
        self.call_count += 1
        if self.is_away:
            raise RedisUnavailable("asking for the rate", "no answer")


@pytest.fixture
def a_shared_bucket(clock: FakeMonotonicClock) -> FakeSharedAllowance:
    return FakeSharedAllowance(clock)


def a_rate_limiter(
    clock: FakeMonotonicClock, allowance: RateAllowance, per_second: float = 0.0
) -> RateLimiter:
    return RateLimiter(
        relay="first:25", per_second=per_second, burst=10, allowance=allowance, clock=clock
    )


def a_shared_rate_limiter(
    clock: FakeMonotonicClock, a_shared_bucket: FakeSharedAllowance
) -> RateLimiter:
    return a_rate_limiter(
        clock, SharedRateAllowance(shared=a_shared_bucket, clock=clock), per_second=40
    )


async def test_without_a_limit_all_is_granted_without_the_allowance(
    clock: FakeMonotonicClock, a_shared_bucket: FakeSharedAllowance
) -> None:
    rate_limiter = a_rate_limiter(clock, a_shared_bucket)

    granted = await rate_limiter.reserve(5000)
    await rate_limiter.refund(5000)

    assert (granted, rate_limiter.seconds_until_next(), a_shared_bucket.call_count) == (
        5000,
        0.0,
        0,
    )


async def test_under_a_limit_a_burst_is_granted_and_then_a_wait_for_several_mails(
    clock: FakeMonotonicClock, a_shared_bucket: FakeSharedAllowance
) -> None:
    rate_limiter = a_shared_rate_limiter(clock, a_shared_bucket)

    first = await rate_limiter.reserve(64)
    wait = rate_limiter.seconds_until_next()
    clock.now += wait
    second = await rate_limiter.reserve(64)

    assert (first, second) == (10, 2)
    assert wait == pytest.approx(0.05)


async def test_unused_mails_are_refunded(
    clock: FakeMonotonicClock, a_shared_bucket: FakeSharedAllowance
) -> None:
    rate_limiter = a_shared_rate_limiter(clock, a_shared_bucket)
    await rate_limiter.reserve(10)

    await rate_limiter.refund(6)
    await rate_limiter.refund(0)

    assert await rate_limiter.reserve(64) == 6


async def test_a_mail_without_a_slot_in_time_marks_the_limiter_as_full_for_a_moment(
    clock: FakeMonotonicClock, a_shared_bucket: FakeSharedAllowance
) -> None:
    slow = a_rate_limiter(
        clock, SharedRateAllowance(shared=a_shared_bucket, clock=clock), per_second=0.4
    )

    slots = [await slow.wait_for_slot() for _ in range(11)]
    was_full = slow.is_full
    clock.now += 2.5

    assert slots == [True] * 10 + [False]
    assert (was_full, slow.is_full) == (True, False)
    assert await slow.wait_for_slot()


async def test_without_a_limit_no_mail_waits_for_a_slot(
    clock: FakeMonotonicClock, a_shared_bucket: FakeSharedAllowance
) -> None:
    rate_limiter = a_rate_limiter(clock, a_shared_bucket)

    assert await rate_limiter.wait_for_slot()
    assert (rate_limiter.is_full, a_shared_bucket.call_count) == (False, 0)


async def test_while_redis_is_away_slots_are_at_a_quarter_of_the_rate(
    clock: FakeMonotonicClock, a_shared_bucket: FakeSharedAllowance
) -> None:
    allowance = SharedRateAllowance(shared=a_shared_bucket, clock=clock)
    a_shared_bucket.is_away = True
    limit = RateLimit(per_second=40, burst=8)

    waits = [await allowance.reserve_slot(limit, max_wait=0.25) for _ in range(5)]

    assert waits == [0, 0, pytest.approx(0.1), pytest.approx(0.2), None]
    assert a_shared_bucket.call_count == 1


async def test_while_redis_is_away_a_quarter_is_granted_from_a_local_bucket(
    clock: FakeMonotonicClock, a_shared_bucket: FakeSharedAllowance
) -> None:
    rate_limiter = a_shared_rate_limiter(clock, a_shared_bucket)
    a_shared_bucket.is_away = True

    burst = await rate_limiter.reserve(64)
    await rate_limiter.refund(1)
    refunded = await rate_limiter.reserve(64)
    later = []
    for _ in range(10):
        clock.now += 0.1
        later.append(await rate_limiter.reserve(64))

    assert (burst, refunded) == (2, 1)
    assert sum(later) == 10
    assert a_shared_bucket.call_count == 1  # not before each claim


async def test_a_redis_that_is_back_is_used_again_and_each_change_is_logged_once(
    clock: FakeMonotonicClock, a_shared_bucket: FakeSharedAllowance, events: Events
) -> None:
    rate_limiter = a_shared_rate_limiter(clock, a_shared_bucket)
    a_shared_bucket.is_away = True
    for _ in range(5):
        await rate_limiter.reserve(64)
        clock.now += 1.0
    a_shared_bucket.is_away = False
    clock.now += 2.0

    granted = await rate_limiter.reserve(64)

    assert granted == 10
    assert [(each["event"], each["log_level"]) for each in events] == [
        ("rate limit no longer shared", "warning"),
        ("rate limit shared again", "info"),
    ]


async def test_a_refund_that_redis_does_not_take_is_dropped(
    clock: FakeMonotonicClock, a_shared_bucket: FakeSharedAllowance
) -> None:
    rate_limiter = a_shared_rate_limiter(clock, a_shared_bucket)
    await rate_limiter.reserve(10)
    a_shared_bucket.is_away = True

    await rate_limiter.refund(10)

    assert await rate_limiter.reserve(64) == 2


async def test_a_relay_that_throttles_gets_half_of_what_it_accepted(
    clock: FakeMonotonicClock, events: Events
) -> None:
    rate_limiter = a_rate_limiter(clock, LocalRateAllowance(clock=clock))
    for _ in range(40):
        rate_limiter.record_acceptance()

    rate_limiter.record_failure(TOO_FAST)
    rate_limiter.record_failure(TOO_FAST)
    burst = await rate_limiter.reserve(64)
    clock.now += 0.26
    after = await rate_limiter.reserve(64)

    assert (burst, after) == (10, 5)
    assert events == [
        {
            "event": "relay throttles",
            "log_level": "warning",
            "relay": "first:25",
            "error": "421 4.7.0 at MAIL: slow down",
            "per_second": 20.0,
        }
    ]


async def test_a_relay_that_accepted_nothing_is_not_slowed_down(clock: FakeMonotonicClock) -> None:
    rate_limiter = a_rate_limiter(clock, LocalRateAllowance(clock=clock))

    rate_limiter.record_failure(TOO_FAST)
    rate_limiter.record_failure(Broken(Stage.CONNECT, "refused"))
    rate_limiter.record_failure(Answered(Reply(stage=Stage.RCPT, code=550)))

    assert await rate_limiter.reserve(64) == 64


async def test_a_small_burst_is_not_lost_by_waiting(clock: FakeMonotonicClock) -> None:
    rate_limiter = RateLimiter(
        relay="", per_second=100, burst=2, allowance=LocalRateAllowance(clock=clock), clock=clock
    )

    await rate_limiter.reserve(64)

    assert rate_limiter.seconds_until_next() == pytest.approx(0.01)


async def test_the_effective_rate_is_the_local_one_while_redis_is_away(
    clock: FakeMonotonicClock, a_shared_bucket: FakeSharedAllowance
) -> None:
    allowance = SharedRateAllowance(shared=a_shared_bucket, clock=clock)
    rate_limiter = replace(
        a_shared_rate_limiter(clock, a_shared_bucket), allowance=allowance, share=allowance.share
    )

    together = rate_limiter.effective_per_second
    a_shared_bucket.is_away = True
    await rate_limiter.reserve(1)

    assert (together, rate_limiter.effective_per_second) == (40, 10)


async def test_the_effective_rate_is_lower_after_throttling(
    clock: FakeMonotonicClock, a_shared_bucket: FakeSharedAllowance
) -> None:
    rate_limiter = a_shared_rate_limiter(clock, a_shared_bucket)
    for _ in range(20):
        rate_limiter.record_acceptance()

    rate_limiter.record_failure(TOO_FAST)

    assert (rate_limiter.per_second, rate_limiter.effective_per_second) == (40, 20)


async def test_throttling_is_logged_without_the_text_of_the_mail(
    clock: FakeMonotonicClock, events: Events
) -> None:
    rate_limiter = a_rate_limiter(clock, LocalRateAllowance(clock=clock))
    reply = Reply(stage=Stage.BODY, code=421, text="'Stand-up' for Ada comes too soon")
    for _ in range(40):
        rate_limiter.record_acceptance()

    rate_limiter.record_failure(Answered(reply), a_job())

    assert events[0]["error"] == "421 at BODY: '(hidden)' for (hidden) comes too soon"
