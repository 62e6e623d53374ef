"""Pace and allowance with a clock that stands still; the shared bucket can be away."""

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
def shared(clock: FakeMonotonicClock) -> FakeSharedAllowance:
    return FakeSharedAllowance(clock)


def a_rate_limiter(
    clock: FakeMonotonicClock, allowance: RateAllowance, per_second: float = 0.0
) -> RateLimiter:
    return RateLimiter(
        relay="first:25", per_second=per_second, burst=10, allowance=allowance, clock=clock
    )


def a_shared_rate_limiter(clock: FakeMonotonicClock, others: FakeSharedAllowance) -> RateLimiter:
    return a_rate_limiter(clock, SharedRateAllowance(shared=others, clock=clock), per_second=40)


async def test_without_a_limit_everything_is_granted_and_nobody_is_asked(
    clock: FakeMonotonicClock, others: FakeSharedAllowance
) -> None:
    pacer = a_rate_limiter(clock, others)

    granted = await pacer.reserve(5000)
    await pacer.refund(5000)

    assert (granted, pacer.seconds_until_next(), others.call_count) == (5000, 0.0, 0)


async def test_under_a_limit_a_burst_is_granted_and_then_the_wait_is_worth_a_claim(
    clock: FakeMonotonicClock, others: FakeSharedAllowance
) -> None:
    pacer = a_shared_rate_limiter(clock, others)

    first = await pacer.reserve(64)
    wait = pacer.seconds_until_next()
    clock.now += wait
    second = await pacer.reserve(64)

    assert (first, second) == (10, 2)
    assert wait == pytest.approx(0.05)


async def test_what_was_not_used_is_refunded(
    clock: FakeMonotonicClock, others: FakeSharedAllowance
) -> None:
    pacer = a_shared_rate_limiter(clock, others)
    await pacer.reserve(10)

    await pacer.refund(6)
    await pacer.refund(0)

    assert await pacer.reserve(64) == 6


async def test_a_mail_without_a_slot_in_time_says_that_the_line_is_full_for_a_moment(
    clock: FakeMonotonicClock, others: FakeSharedAllowance
) -> None:
    slow = a_rate_limiter(clock, SharedRateAllowance(shared=others, clock=clock), per_second=0.4)

    slots = [await slow.wait_for_slot() for _ in range(11)]
    was_full = slow.is_full
    clock.now += 2.5

    assert slots == [True] * 10 + [False]
    assert (was_full, slow.is_full) == (True, False)
    assert await slow.wait_for_slot()


async def test_without_a_limit_no_mail_waits_for_a_slot(
    clock: FakeMonotonicClock, others: FakeSharedAllowance
) -> None:
    pacer = a_rate_limiter(clock, others)

    assert await pacer.wait_for_slot()
    assert (pacer.is_full, others.call_count) == (False, 0)


async def test_while_redis_is_away_slots_are_those_of_a_quarter(
    clock: FakeMonotonicClock, others: FakeSharedAllowance
) -> None:
    allowance = SharedRateAllowance(shared=others, clock=clock)
    others.is_away = True
    speed = RateLimit(per_second=40, burst=8)

    waits = [await allowance.reserve_slot(speed, max_wait=0.25) for _ in range(5)]

    assert waits == [0, 0, pytest.approx(0.1), pytest.approx(0.2), None]
    assert others.call_count == 1


async def test_while_redis_is_away_a_quarter_is_granted_from_a_bucket_of_our_own(
    clock: FakeMonotonicClock, others: FakeSharedAllowance
) -> None:
    pacer = a_shared_rate_limiter(clock, others)
    others.is_away = True

    burst = await pacer.reserve(64)
    await pacer.refund(1)
    refunded = await pacer.reserve(64)
    later = []
    for _ in range(10):
        clock.now += 0.1
        later.append(await pacer.reserve(64))

    assert (burst, refunded) == (2, 1)
    assert sum(later) == 10
    assert others.call_count == 1  # not before each claim


async def test_a_redis_that_is_back_is_used_again_and_each_change_is_told_once(
    clock: FakeMonotonicClock, others: FakeSharedAllowance, events: Events
) -> None:
    pacer = a_shared_rate_limiter(clock, others)
    others.is_away = True
    for _ in range(5):
        await pacer.reserve(64)
        clock.now += 1.0
    others.is_away = False
    clock.now += 2.0

    granted = await pacer.reserve(64)

    assert granted == 10
    assert [(each["event"], each["log_level"]) for each in events] == [
        ("rate limit kept without the others", "warning"),
        ("rate limit shared again", "info"),
    ]


async def test_a_refund_that_redis_does_not_take_is_let_go(
    clock: FakeMonotonicClock, others: FakeSharedAllowance
) -> None:
    pacer = a_shared_rate_limiter(clock, others)
    await pacer.reserve(10)
    others.is_away = True

    await pacer.refund(10)

    assert await pacer.reserve(64) == 2


async def test_a_relay_that_complains_gets_half_of_what_it_took(
    clock: FakeMonotonicClock, events: Events
) -> None:
    pacer = a_rate_limiter(clock, LocalRateAllowance(clock=clock))
    for _ in range(40):
        pacer.record(TAKEN)

    pacer.record(TOO_FAST)
    pacer.record(TOO_FAST)
    burst = await pacer.reserve(64)
    clock.now += 0.26
    after = await pacer.reserve(64)

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


async def test_a_relay_that_took_nothing_is_not_slowed_down(clock: FakeMonotonicClock) -> None:
    pacer = a_rate_limiter(clock, LocalRateAllowance(clock=clock))

    pacer.record(TOO_FAST)
    pacer.record(Broken(Stage.CONNECT, "refused"))
    pacer.record(Answered(Reply(stage=Stage.RCPT, code=550)))

    assert await pacer.reserve(64) == 64


async def test_a_small_burst_is_not_waited_away(clock: FakeMonotonicClock) -> None:
    pacer = RateLimiter(
        relay="", per_second=100, burst=2, allowance=LocalRateAllowance(clock=clock), clock=clock
    )

    await pacer.reserve(64)

    assert pacer.seconds_until_next() == pytest.approx(0.01)


async def test_the_effective_speed_is_ours_alone_while_nobody_knows_of_the_others(
    clock: FakeMonotonicClock, others: FakeSharedAllowance
) -> None:
    allowance = SharedRateAllowance(shared=others, clock=clock)
    pacer = replace(
        a_shared_rate_limiter(clock, others), allowance=allowance, share=allowance.share
    )

    together = pacer.effective_per_second
    others.is_away = True
    await pacer.reserve(1)

    assert (together, pacer.effective_per_second) == (40, 10)


async def test_the_effective_speed_is_lower_after_a_complaint(
    clock: FakeMonotonicClock, others: FakeSharedAllowance
) -> None:
    pacer = a_shared_rate_limiter(clock, others)
    for _ in range(20):
        pacer.record(TAKEN)

    pacer.record(TOO_FAST)

    assert (pacer.per_second, pacer.effective_per_second) == (40, 20)


async def test_a_complaint_is_logged_without_the_words_of_the_mail(
    clock: FakeMonotonicClock, events: Events
) -> None:
    pacer = a_rate_limiter(clock, LocalRateAllowance(clock=clock))
    complaint = Reply(stage=Stage.BODY, code=421, text="'Stand-up' for Ada comes too soon")
    for _ in range(40):
        pacer.record(TAKEN)

    pacer.record(Answered(complaint), a_job())

    assert events[0]["error"] == "421 at BODY: '(hidden)' for (hidden) comes too soon"
