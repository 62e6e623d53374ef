"""Calls per second of clients, by a clock that stands still. Oracle: arithmetic."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from gcsched.domain.access import ANYONE, Client
from gcsched.domain.client_limits import Limit
from gcsched.domain.token_bucket import RateLimit
from gcsched.errors import ClientLimit, RedisUnavailable
from gcsched.usecases.access.call_limits import CallLimits
from gcsched.usecases.ports import CallsTogether
from tests.support.background import in_background
from tests.support.builders import a_client
from tests.support.clocks import FakeMonotonicClock
from tests.support.log_events import Events
from tests.support.wait import until

CLIENT = a_client(calls_per_second=10, burst=20)


@dataclass
class FakeSharedCalls:
    """A SharedCalls of several processes in one, by the same clock; *is_away* fails it."""

    clock: FakeMonotonicClock
    is_away: bool = False
    processes: int = 2
    reported: list[tuple[str, int]] = field(default_factory=list)
    paid_until: float = 0.0

    async def add(
        self, client: str, calls: int, limit: RateLimit, *, age_seconds: float
    ) -> CallsTogether:
        if self.is_away:
            raise RedisUnavailable("counting the calls of clients", "connection refused")
        self.reported.append((client, calls))
        now = self.clock()
        paid = max(self.paid_until, now - age_seconds) + calls * limit.seconds_per_mail
        self.paid_until = min(paid, now + 2 * limit.burst * limit.seconds_per_mail)
        ahead = max(0.0, self.paid_until - now)
        return CallsTogether(ahead_seconds=ahead, processes=self.processes)


@dataclass
class RecordedLimits:
    """A LimitObserver that keeps what was refused."""

    refused: list[tuple[str, Limit]] = field(default_factory=list)

    def on_usage(self, client: str, limit: Limit, used: int, most: int) -> None: ...

    def on_limit(self, client: str, limit: Limit) -> None:
        self.refused.append((client, limit))


@pytest.fixture
def clock() -> FakeMonotonicClock:
    return FakeMonotonicClock()


@pytest.fixture
def shared(clock: FakeMonotonicClock) -> FakeSharedCalls:
    return FakeSharedCalls(clock)


@pytest.fixture
def limits(clock: FakeMonotonicClock, shared: FakeSharedCalls) -> CallLimits:
    return CallLimits(shared=shared, clock=clock)


def accept(limits: CallLimits, calls: int, client: Client = CLIENT) -> int:
    """Make *calls* and return how many were accepted."""
    accepted = 0
    for _ in range(calls):
        try:
            limits.check_call(client)
        except ClientLimit:
            continue
        accepted += 1
    return accepted


def test_a_burst_is_accepted_and_then_the_rate(
    limits: CallLimits, clock: FakeMonotonicClock
) -> None:
    assert accept(limits, 30) == 20

    clock.now += 0.55
    assert accept(limits, 30) == 5

    clock.now += 100
    assert accept(limits, 30) == 20


def test_the_error_says_when_the_next_call_is_accepted(
    limits: CallLimits, clock: FakeMonotonicClock
) -> None:
    accept(limits, 20)

    with pytest.raises(ClientLimit, match="more than its 10 calls per second") as refused:
        limits.check_call(CLIENT)

    clock.now += refused.value.retry_after.total_seconds()
    assert accept(limits, 2) == 1


def test_a_refusal_is_reported(clock: FakeMonotonicClock, shared: FakeSharedCalls) -> None:
    observer = RecordedLimits()
    limits = CallLimits(shared=shared, observer=observer, clock=clock)

    accept(limits, 22)

    assert observer.refused == [("payroll", Limit.CALLS_PER_SECOND)] * 2


def test_clients_have_their_own_rates_and_some_have_none(limits: CallLimits) -> None:
    accept(limits, 30)

    assert accept(limits, 30, a_client("hr", calls_per_second=5)) == 5
    assert accept(limits, 30, a_client("it", jobs_per_day=5)) == 30
    assert accept(limits, 30, ANYONE) == 30


def test_a_changed_limit_counts_at_the_next_call(
    limits: CallLimits, clock: FakeMonotonicClock
) -> None:
    accept(limits, 20)
    clock.now += 100

    assert accept(limits, 30, a_client(calls_per_second=10, burst=3)) == 3


async def test_one_process_may_use_the_whole_rate(
    limits: CallLimits, clock: FakeMonotonicClock
) -> None:
    accept(limits, 20)
    start, accepted = clock.now, 0

    for tenth in range(1, 101):
        clock.now = start + tenth / 10
        await limits.exchange()
        accepted += accept(limits, 5)

    assert accepted == 100


@pytest.mark.parametrize("burst", [1, 3])
async def test_a_call_is_paid_for_from_its_own_time_on(
    limits: CallLimits, clock: FakeMonotonicClock, burst: int
) -> None:
    client, start = a_client(calls_per_second=10, burst=burst), clock.now

    for tenth in range(100):
        clock.now = start + tenth / 10
        assert accept(limits, 1, client) == 1
        clock.now += 0.09  # later than the call, and before the next one
        await limits.exchange()


async def test_three_processes_keep_to_the_rate_together(
    clock: FakeMonotonicClock, shared: FakeSharedCalls
) -> None:
    processes = [CallLimits(shared=shared, clock=clock) for _ in range(3)]
    accepted = 0

    for _ in range(1_000):  # 100 seconds
        for each in processes:
            accepted += accept(each, 5)
            await each.exchange()
        clock.now += 0.1

    # The rate; a burst of each process, of which two are paid for later; some in flight.
    assert 1_000 <= accepted <= 1_000 + 3 * 20


async def test_the_others_hear_of_a_few_calls_within_a_second(
    limits: CallLimits, clock: FakeMonotonicClock, shared: FakeSharedCalls
) -> None:
    accept(limits, 1)
    await limits.exchange()
    accept(limits, 1)
    await limits.exchange()
    assert shared.reported == [("payroll", 1)]

    accept(limits, 1)
    await limits.exchange()
    clock.now += 0.1
    accept(limits, 1)
    await limits.exchange()
    clock.now += 1
    await limits.exchange()

    assert shared.reported == [("payroll", 1), ("payroll", 2), ("payroll", 1)]


async def test_without_redis_each_process_allows_its_part(
    limits: CallLimits, clock: FakeMonotonicClock, shared: FakeSharedCalls, events: Events
) -> None:
    accept(limits, 20)
    await limits.exchange()
    shared.is_away = True
    clock.now += 100

    accept(limits, 2)
    await limits.exchange()
    # Of the burst of 10 at 5 a second, the two calls have taken 0.2 seconds: one.
    assert accept(limits, 30) == 9

    clock.now += 100
    assert accept(limits, 30) == 10
    shared.is_away = False
    await limits.exchange()
    clock.now += 100
    assert accept(limits, 30) == 20
    assert [each["event"] for each in events] == [
        "calls of clients no longer shared",
        "calls of clients shared again",
    ]


async def test_a_process_alone_keeps_its_rate_without_redis(
    limits: CallLimits, clock: FakeMonotonicClock, shared: FakeSharedCalls
) -> None:
    shared.is_away = True
    accept(limits, 2)
    await limits.exchange()
    clock.now += 100

    assert accept(limits, 30) == 20


async def test_redis_is_not_asked_again_for_two_seconds(
    limits: CallLimits, clock: FakeMonotonicClock, shared: FakeSharedCalls
) -> None:
    shared.is_away = True
    accept(limits, 5)
    await limits.exchange()
    shared.is_away = False

    clock.now += 1.9
    await limits.exchange()
    assert shared.reported == []

    clock.now += 0.2
    await limits.exchange()
    assert shared.reported == [("payroll", 5)]


async def test_a_redis_that_lost_its_data_grants_no_second_burst(
    limits: CallLimits, shared: FakeSharedCalls
) -> None:
    accept(limits, 20)
    await limits.exchange()
    shared.paid_until = 0.0

    await limits.exchange()

    assert accept(limits, 30) == 0


async def test_idle_clients_are_forgotten(limits: CallLimits, clock: FakeMonotonicClock) -> None:
    accept(limits, 20)
    clock.now += 59
    await limits.exchange()
    assert set(limits.by_client) == {"payroll"}

    clock.now += 2
    await limits.exchange()
    assert not limits.by_client


async def test_the_loop_exchanges_while_there_are_calls_and_ends_at_the_stop(
    limits: CallLimits, shared: FakeSharedCalls
) -> None:
    async with in_background(limits.run):
        accept(limits, 3)
        await until(lambda: shared.reported == [("payroll", 3)])


def test_the_latest_call_of_each_client_is_known_also_without_limits() -> None:
    clock = FakeMonotonicClock()
    limits = CallLimits(shared=FakeSharedCalls(clock=clock), clock=clock)
    eva = a_client(name="eva")
    limits.check_call(eva)
    limits.check_call(ANYONE)
    clock.advance(90)

    assert limits.find_idle_time("eva") == timedelta(seconds=90)
    assert limits.find_idle_time("payroll") is None
    assert limits.find_idle_time("") is None
