import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest

from gcsched.errors import StoreUnavailable
from gcsched.usecases.delivery.leases import Leases
from gcsched.usecases.ports import ClaimedBatch
from tests.support.background import in_background
from tests.support.builders import a_batch, a_claimed_job, a_conclusion
from tests.support.clocks import FakeMonotonicClock
from tests.support.wait import until


class FakeClaims:
    """Records which tokens were renewed, except the *fixed* ones; can be away."""

    def __init__(self) -> None:
        self.renewed: list[list[str]] = []
        self.is_away = False
        self.fixed: set[str] = set()
        self.meanwhile: Callable[[], None] = lambda: None

    async def claim(
        self, token: str, most: int, *, now: datetime, urgent_only: bool = False
    ) -> ClaimedBatch:
        raise NotImplementedError

    async def release(self, tokens: Sequence[str]) -> None:
        assert not tokens, "every claim was heard"

    async def begin(self, token: str, ids: Sequence[str], *, date: datetime) -> Collection[str]:
        raise NotImplementedError

    async def has_due_jobs(self, *, now: datetime) -> bool:
        raise NotImplementedError

    async def renew(self, tokens: Sequence[str]) -> Collection[str]:
        self.renewed.append(list(tokens))
        self.meanwhile()
        if self.is_away:
            raise StoreUnavailable("renewing leases")
        return self.fixed & set(tokens)


@pytest.fixture
def claims() -> FakeClaims:
    return FakeClaims()


def a_claimed_batch(count: int, claim: str = "claim-1") -> ClaimedBatch:
    return a_batch(*[a_claimed_job(id=f"job-{n}") for n in range(count)], claim=claim)


def test_room_is_the_capacity_that_is_not_used(claims: FakeClaims) -> None:
    leases = Leases(claims, capacity=10)

    leases.add(a_claimed_batch(4, claim="claim-1"))
    leases.add(a_claimed_batch(3, claim="claim-2"))
    leases.release(a_conclusion(claim="claim-1"))

    assert (leases.job_count, leases.room) == (6, 4)


async def test_jobs_that_wait_for_a_slot_take_no_room(claims: FakeClaims) -> None:
    waiting = 7
    leases = Leases(claims, capacity=10, exempt_count=lambda: waiting)
    leases.add(a_claimed_batch(9))

    assert (leases.job_count, leases.room) == (9, 8)
    await leases.wait_for_room()


async def test_every_claim_with_a_job_left_is_renewed(claims: FakeClaims) -> None:
    leases = Leases(claims, capacity=10)
    leases.add(a_claimed_batch(2, claim="claim-1"))
    leases.add(a_claimed_batch(1, claim="claim-2"))
    leases.release(a_conclusion(claim="claim-1"))
    leases.release(a_conclusion(claim="claim-2"))

    was_renewed = await leases.renew()

    assert was_renewed
    assert claims.renewed == [["claim-1"]]


async def test_nothing_is_renewed_when_no_job_is_held(claims: FakeClaims) -> None:
    leases = Leases(claims, capacity=10)
    leases.add(a_claimed_batch(1))
    leases.release(a_conclusion())

    was_renewed = await leases.renew()

    assert was_renewed
    assert claims.renewed == []


async def test_an_empty_claim_leaves_nothing_to_renew(claims: FakeClaims) -> None:
    leases = Leases(claims, capacity=10)

    leases.add(a_claimed_batch(0, claim="claim-1"))
    await leases.renew()

    assert claims.renewed == []


async def test_a_failed_renewal_returns_false(claims: FakeClaims) -> None:
    leases = Leases(claims, capacity=10)
    leases.add(a_claimed_batch(1))
    claims.is_away = True

    assert not await leases.renew()


@pytest.mark.parametrize(("capacity", "released_until_room"), [(10, 5), (7, 4), (1, 1)])
async def test_room_means_half_of_the_capacity(
    claims: FakeClaims, capacity: int, released_until_room: int
) -> None:
    leases = Leases(claims, capacity=capacity)
    leases.add(a_claimed_batch(capacity))
    waiting = asyncio.create_task(leases.wait_for_room())

    conclusions = 0
    while not waiting.done():
        leases.release(a_conclusion())
        conclusions += 1
        for _ in range(3):
            await asyncio.sleep(0)

    assert conclusions == released_until_room


async def test_a_caller_that_finds_room_does_not_wait(claims: FakeClaims) -> None:
    leases = Leases(claims, capacity=10)
    leases.add(a_claimed_batch(5))

    async with asyncio.timeout(1):
        await leases.wait_for_room()

    assert leases.room == 5


async def test_leases_are_renewed_repeatedly_until_the_stop(
    claims: FakeClaims, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.delivery.leases.RENEW_EVERY", timedelta(milliseconds=5))
    leases = Leases(claims, capacity=10)
    leases.add(a_claimed_batch(1))

    async with in_background(leases.run):
        await until(lambda: len(claims.renewed) >= 3)

    assert claims.renewed[:3] == [["claim-1"]] * 3


async def test_a_failed_renewal_is_retried_soon(
    claims: FakeClaims, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gcsched.usecases.delivery.leases.RENEW_EVERY", timedelta(milliseconds=5))
    monkeypatch.setattr("gcsched.usecases.delivery.leases.AFTER_FAILURE", timedelta(milliseconds=1))
    claims.is_away = True
    leases = Leases(claims, capacity=10)
    leases.add(a_claimed_batch(1))

    async with in_background(leases.run):
        monkeypatch.setattr("gcsched.usecases.delivery.leases.RENEW_EVERY", timedelta(hours=1))
        await until(lambda: len(claims.renewed) >= 3)

    assert claims.renewed[:3] == [["claim-1"]] * 3


async def test_a_stop_does_not_wait_for_the_next_renewal(claims: FakeClaims) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()

    async with in_background(Leases(claims, capacity=10).run):
        pass

    assert loop.time() - started < 1


@pytest.fixture
def monotonic(monkeypatch: pytest.MonkeyPatch) -> FakeMonotonicClock:
    clock = FakeMonotonicClock(1000.0)
    monkeypatch.setattr("gcsched.usecases.delivery.leases.time", SimpleNamespace(monotonic=clock))
    return clock


def a_leased_batch(count: int, lease_end: float, claim: str = "claim-1") -> ClaimedBatch:
    return replace(a_claimed_batch(count, claim), lease_end=lease_end)


async def test_a_lease_ends_as_claimed_until_a_renewal_is_answered(
    claims: FakeClaims, monotonic: FakeMonotonicClock
) -> None:
    leases = Leases(claims, capacity=10)
    leases.add(a_leased_batch(1, 1029.0))
    seen = [leases.find_end("claim-1")]
    monotonic.now = 1010.0
    claims.is_away = True  # or its answer was lost: the store may have the longer lease
    await leases.renew()
    seen.append(leases.find_end("claim-1"))
    claims.is_away = False

    await leases.renew()

    assert [*seen, leases.find_end("claim-1")] == [1029.0, 1029.0, 1040.0]


async def test_a_renewed_lease_counts_from_before_the_statement(
    claims: FakeClaims, monotonic: FakeMonotonicClock
) -> None:
    leases = Leases(claims, capacity=10)
    leases.add(a_leased_batch(1, 1030.0))

    def suspend() -> None:
        monotonic.now += 12
        leases.add(a_leased_batch(1, 1041.0, claim="claim-2"))

    claims.meanwhile = suspend
    await leases.renew()

    assert leases.find_end("claim-1") == 1030.0
    assert leases.find_end("claim-2") == 1041.0, "it was not part of the renewal"


async def test_a_claim_with_a_job_whose_lease_cannot_be_renewed_ends_as_before(
    claims: FakeClaims, monotonic: FakeMonotonicClock
) -> None:
    leases = Leases(claims, capacity=10)
    leases.add(a_leased_batch(2, 1030.0, claim="claim-1"))
    leases.add(a_leased_batch(2, 1030.0, claim="claim-2"))
    claims.fixed = {"claim-1"}
    monotonic.now = 1010.0

    assert await leases.renew()

    assert [leases.find_end(claim) for claim in ("claim-1", "claim-2")] == [1030.0, 1040.0]


async def test_a_concluded_claim_has_no_lease_left_even_if_it_ended_during_a_renewal(
    claims: FakeClaims, monotonic: FakeMonotonicClock
) -> None:
    leases = Leases(claims, capacity=10)
    leases.add(a_leased_batch(1, monotonic.now + 30))
    claims.meanwhile = lambda: leases.release(a_conclusion())

    await leases.renew()

    assert leases.find_end("claim-1") < monotonic.now
    assert leases.find_end("never claimed") < monotonic.now
