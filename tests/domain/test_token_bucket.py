from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcsched.domain.token_bucket import Bucket, RateGrant, RateLimit

LIMIT = RateLimit(per_second=50, burst=10)


def take_mails(bucket: Bucket, most: int, *, now: float) -> tuple[Bucket, int]:
    bucket, grant = bucket.take(most, LIMIT, now=now)
    return bucket, grant.count


def test_after_a_pause_a_burst_may_leave_at_once() -> None:
    _, grant = Bucket().take(64, LIMIT, now=100.0)

    assert grant.count == 10
    assert grant.wait_seconds == pytest.approx(0.02)


def test_after_less_than_a_burst_another_mail_may_leave_at_once() -> None:
    _, grant = Bucket().take(3, LIMIT, now=100.0)

    assert grant == RateGrant(count=3, wait_seconds=0.0)


def test_after_the_burst_mails_leave_at_the_rate() -> None:
    bucket, counts = Bucket(), []
    for step in range(6):
        bucket, count = take_mails(bucket, 64, now=100.0 + step / 10)
        counts.append(count)

    assert counts == [10, 5, 5, 5, 5, 5]


def test_a_pause_earns_one_burst_at_most() -> None:
    bucket, _ = take_mails(Bucket(), 64, now=100.0)

    _, count = take_mails(bucket, 64, now=3600.0)

    assert count == 10


def test_mails_that_were_given_back_may_leave() -> None:
    bucket, _ = take_mails(Bucket(), 10, now=100.0)

    _, count = take_mails(bucket.give_back(4, LIMIT), 64, now=100.0)

    assert count == 4


def test_giving_back_late_earns_one_burst_at_most() -> None:
    bucket, _ = take_mails(Bucket(), 10, now=100.0)

    _, count = take_mails(bucket.give_back(10, LIMIT), 64, now=200.0)

    assert count == 10


def test_a_share_of_a_limit_has_a_share_of_its_burst_and_at_least_one() -> None:
    assert LIMIT.divided(4) == RateLimit(per_second=12.5, burst=2)
    assert RateLimit(per_second=8, burst=1).divided(4) == RateLimit(per_second=2, burst=1)


@given(
    pauses=st.lists(st.floats(0, 0.5), min_size=1, max_size=80),
    most=st.integers(1, 64),
    back=st.integers(0, 3),
)
def test_no_second_has_more_than_burst_and_rate(pauses: list[float], most: int, back: int) -> None:
    bucket, sent = Bucket(), []
    for now in accumulate(pauses, initial=1000.0):
        bucket, count = take_mails(bucket, most, now=now)
        unused = min(back, count)
        bucket = bucket.give_back(unused, LIMIT)
        sent.append((now, count - unused))

    for start, _ in sent:
        assert sum(count for now, count in sent if start <= now < start + 1) <= 60


@given(rate=st.floats(0.01, 100_000), burst=st.integers(1, 1000))
def test_after_the_reported_wait_the_next_mail_may_leave(rate: float, burst: int) -> None:
    limit = RateLimit(per_second=rate, burst=burst)
    bucket, first = Bucket().take(burst + 1, limit, now=1000.0)

    _, second = bucket.take(1, limit, now=1000.0 + first.wait_seconds)

    assert (first.count, second.count) == (burst, 1)


@given(
    pauses=st.lists(st.floats(0, 0.5), min_size=1, max_size=200),
    max_wait=st.floats(0, 3),
)
def test_slots_keep_to_burst_and_rate_whenever_mails_come(
    pauses: list[float], max_wait: float
) -> None:
    bucket, slots, refused = Bucket(), [], 0
    for now in accumulate(pauses, initial=1000.0):
        bucket, wait = bucket.reserve_slot(LIMIT, max_wait=max_wait, now=now)
        refused += wait is None
        slots += [] if wait is None else [now + wait]
        assert wait is None or 0 <= wait <= max_wait

    for start in slots:
        assert (
            sum(start <= slot < start + 1 for slot in slots) <= 61
        )  # rounding errors: one more at the border
    assert len(slots) + refused == len(pauses) + 1


def test_a_mail_without_a_slot_costs_the_others_nothing() -> None:
    full = Bucket()
    for _ in range(10):
        full, _ = full.reserve_slot(LIMIT, max_wait=0, now=1000.0)

    after, refused = full.reserve_slot(LIMIT, max_wait=0.01, now=1000.0)
    _, next_one = after.reserve_slot(LIMIT, max_wait=0.02, now=1000.0)

    assert refused is None
    assert next_one == pytest.approx(0.02)
