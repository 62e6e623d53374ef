"""Lateness by buckets. Oracle: the quantiles of all values, sorted."""

import math
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gcsched.domain.lateness import lateness_of
from gcsched.domain.smtp_reply import Kind
from gcsched.usecases.monitoring.lateness import Lateness, LatenessQuantiles
from tests.support.builders import NOW, a_claimed_job, a_job, an_attempt
from tests.support.clocks import SECOND, FakeMonotonicClock

LATE = st.timedeltas(timedelta(0), timedelta(days=2))
NOTHING = LatenessQuantiles(mails=0, p50=timedelta(0), p99=timedelta(0))


def a_lateness(*values: timedelta) -> Lateness:
    lateness = Lateness(clock=FakeMonotonicClock(1000.0))
    lateness.record(values)
    return lateness


def true_quantile(values: list[timedelta], share: float) -> timedelta:
    return sorted(values)[math.ceil(len(values) * share) - 1]


def test_without_mails_quantiles_are_zero() -> None:
    assert a_lateness().summarize() == NOTHING


@given(values=st.lists(LATE, min_size=1, max_size=300))
def test_each_quantile_is_exact_or_at_most_five_percent_too_high(values: list[timedelta]) -> None:
    figures = a_lateness(*values).summarize()

    assert figures.mails == len(values)
    for share, reported in ((0.5, figures.p50), (0.99, figures.p99)):
        true = max(true_quantile(values, share), timedelta(milliseconds=1))
        assert true - timedelta(microseconds=2) <= reported
        assert reported <= true * 1.0501 + timedelta(microseconds=2)


def test_less_than_a_millisecond_is_reported_as_one() -> None:
    assert a_lateness(timedelta(0)).summarize().p99 == timedelta(milliseconds=1)


def test_mails_older_than_five_minutes_do_not_count() -> None:
    clock = FakeMonotonicClock(0)
    lateness = Lateness(clock=clock)
    lateness.record([timedelta(seconds=9)])
    clock.now = 200
    lateness.record([timedelta(seconds=1)])

    clock.now = 299
    assert lateness.summarize().mails == 2
    clock.now = 300
    assert lateness.summarize().mails == 1
    assert lateness.summarize().p99 < timedelta(seconds=1.1)
    clock.now = 10_000
    assert lateness.summarize() == NOTHING


def test_its_memory_does_not_grow_with_the_mails() -> None:
    clock = FakeMonotonicClock(0)
    lateness = Lateness(clock=clock)
    sizes = []
    for second in range(0, 3000, 10):
        clock.now = second
        lateness.record(timedelta(milliseconds=number % 7) for number in range(100))
        sizes.append(len(repr(lateness)))

    assert max(sizes[40:]) < max(sizes[:40]) * 1.1


def test_lateness_counts_from_the_due_time_or_the_request_of_an_accepted_mail() -> None:
    day, accepted = timedelta(days=1), an_attempt(kind=Kind.ACCEPTED, end_time=NOW + 3 * SECOND)

    assert (
        lateness_of(a_claimed_job(create_time=NOW - day, due_time=NOW).sent(accepted)) == 3 * SECOND
    )
    assert (
        lateness_of(a_claimed_job(create_time=NOW, due_time=NOW - day).sent(accepted)) == 3 * SECOND
    )
    assert lateness_of(a_claimed_job(due_time=NOW + day).sent(accepted)) == timedelta(0)
    assert lateness_of(a_claimed_job().retried(an_attempt(), due_time=NOW, charged=True)) is None
    assert lateness_of(a_job()) is None
