"""The figures of the history. Oracle: the quantiles of all values, sorted, and the calendar."""

import math
from collections import Counter
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gcsched.domain.history import (
    MAX_BUCKET,
    HistoryStep,
    find_history_bucket,
    find_quantiles,
)
from tests.support.builders import NOW

LATE = st.timedeltas(timedelta(0), timedelta(days=80))
SECONDS = st.integers(0, 4 * 366 * 86_400)


@given(values=st.lists(LATE, min_size=1, max_size=200))
def test_a_quantile_is_exact_or_at_most_a_tenth_too_high(values: list[timedelta]) -> None:
    found = find_quantiles(Counter(map(find_history_bucket, values)), [0.5, 0.99])

    assert found is not None
    for quantile, part in zip(found, (0.5, 0.99), strict=True):
        true = max(sorted(values)[math.ceil(len(values) * part) - 1], timedelta(milliseconds=1))
        little = timedelta(microseconds=2)
        assert true - little <= quantile <= true * 1.1026 + little


def test_without_mails_there_is_no_quantile() -> None:
    assert find_quantiles({}, [0.99]) is None


def test_buckets_are_bounded_however_late_a_mail_is() -> None:
    assert find_history_bucket(timedelta(0)) == 0
    assert find_history_bucket(timedelta.max) == MAX_BUCKET


@given(seconds=SECONDS)
def test_intervals_begin_at_full_minutes_tens_and_hours(seconds: int) -> None:
    moment = NOW + timedelta(seconds=seconds)
    minute = moment.replace(second=0, microsecond=0)

    assert HistoryStep.MINUTE.find_start(moment) == minute
    assert HistoryStep.TEN_MINUTES.find_start(moment) == minute.replace(
        minute=moment.minute // 10 * 10
    )
    assert HistoryStep.HOUR.find_start(moment) == minute.replace(minute=0)
