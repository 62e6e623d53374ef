"""The limit on the silence of a relay; the numbers are written out by hand."""

import pytest

from gcsched.domain.silence_limit import SilenceLimit

HOUR = 3600.0


def learn_all(*learned: tuple[float, float]) -> SilenceLimit:
    """Return the limit after mails of (seconds, time)."""
    limit = SilenceLimit()
    for took, now in learned:
        limit = limit.learned(took, now=now)
    return limit


def test_the_first_limit_is_twenty_seconds() -> None:
    assert SilenceLimit().seconds == 20


@pytest.mark.parametrize(
    ("took", "seconds"), [(0.1, 20), (10, 20), (11, 22), (60, 120), (200, 300)]
)
def test_it_is_twice_the_time_the_relay_needed_and_five_minutes_at_most(
    took: float, seconds: float
) -> None:
    assert learn_all((took, 10)).seconds == seconds


def test_a_quick_mail_after_a_slow_one_changes_nothing() -> None:
    assert learn_all((30, 10), (0.1, 20), (0.1, 1000)).seconds == 60


def test_a_slow_mail_is_remembered_for_one_to_two_hours() -> None:
    assert learn_all((30, HOUR), (0.1, 2 * HOUR)).seconds == 60
    assert learn_all((30, HOUR), (0.1, 2 * HOUR), (0.1, 2.9 * HOUR)).seconds == 60
    assert learn_all((30, HOUR), (0.1, 2 * HOUR), (0.1, 3 * HOUR)).seconds == 20


def test_most_probes_wait_twice_as_long_and_a_few_up_to_the_limit_of_the_rfc() -> None:
    waits = [SilenceLimit().for_probe(number) for number in range(1, 17)]

    assert waits == [40, 40, 40, 80, 40, 40, 40, 160, 40, 40, 40, 80, 40, 40, 40, 300]


@pytest.mark.parametrize(("took", "seconds"), [(0.1, 80), (60, 120), (250, 500), (400, 600)])
def test_the_reply_to_a_body_may_take_longer_and_ten_minutes_at_most(
    took: float, seconds: float
) -> None:
    assert SilenceLimit().for_body().learned(took, now=10).seconds == seconds
