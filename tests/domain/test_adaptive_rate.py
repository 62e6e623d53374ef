import pytest

from gcsched.domain.adaptive_rate import AdaptiveRate, RateMeter

NOW = 1000.0
FULL_RECOVERY = 300.0


def test_without_throttling_the_rate_is_the_configured_one() -> None:
    assert AdaptiveRate(configured=50).per_second(NOW) == 50
    assert AdaptiveRate().per_second(NOW) == 0
    assert not AdaptiveRate(configured=50).is_slow(NOW)


def test_throttling_halves_the_rate() -> None:
    rate = AdaptiveRate(configured=50).throttled(NOW, recent_rate=30)

    assert rate.per_second(NOW) == 25
    assert rate.is_slow(NOW)


def test_without_a_limit_throttling_halves_the_recent_rate() -> None:
    assert AdaptiveRate().throttled(NOW, recent_rate=30).per_second(NOW) == 15


def test_a_relay_that_took_nothing_is_not_throttling_us() -> None:
    assert AdaptiveRate(configured=50).throttled(NOW, recent_rate=0) == AdaptiveRate(configured=50)


def test_throttling_counts_once_a_second() -> None:
    rate = AdaptiveRate(configured=48).throttled(NOW, recent_rate=30)

    assert rate.throttled(NOW + 0.9, recent_rate=30) is rate
    assert rate.throttled(NOW + 1, recent_rate=30).per_second(NOW + 1) == pytest.approx(12, abs=0.1)


def test_the_rate_recovers_linearly_up_to_the_configured_one() -> None:
    rate = AdaptiveRate(configured=60).throttled(NOW, recent_rate=30)

    after = [rate.per_second(NOW + FULL_RECOVERY * share) for share in (0.1, 0.25, 0.5, 5)]

    assert after == [36, 45, 60, 60]
    assert not rate.is_slow(NOW + FULL_RECOVERY / 2)


def test_after_a_second_throttling_it_recovers_as_fast_as_after_the_first() -> None:
    rate = AdaptiveRate(configured=64).throttled(NOW, recent_rate=30)
    again = rate.throttled(NOW + 30, recent_rate=30)

    gained = again.per_second(NOW + 60) - again.per_second(NOW + 30)

    assert gained == pytest.approx(64 / 10)


def test_without_a_limit_it_is_unlimited_again_at_twice_the_first_rate() -> None:
    rate = AdaptiveRate().throttled(NOW, recent_rate=40)

    assert rate.per_second(NOW + FULL_RECOVERY) == 60
    assert rate.per_second(NOW + FULL_RECOVERY * 1.49) == pytest.approx(79.6)
    assert rate.per_second(NOW + FULL_RECOVERY * 1.5) == 0


def test_after_a_recovery_throttling_halves_the_rate_of_that_moment() -> None:
    recovered = NOW + 2 * FULL_RECOVERY

    rate = AdaptiveRate().throttled(NOW, recent_rate=40).throttled(recovered, recent_rate=100)

    assert rate.per_second(recovered) == 50
    assert rate.per_second(recovered + 30) == 60


def test_the_lowest_rate_is_a_mail_every_five_seconds() -> None:
    rate = AdaptiveRate(configured=50)
    for second in range(60):
        rate = rate.throttled(NOW + second, recent_rate=1)

    assert rate.per_second(NOW + 59) >= 0.2


def test_a_limit_below_that_is_kept() -> None:
    assert AdaptiveRate(configured=0.01).throttled(NOW, recent_rate=1).per_second(NOW) == 0.01


def a_meter(*moments: float) -> RateMeter:
    meter = RateMeter()
    for moment in moments:
        meter = meter.counted(moment)
    return meter


@pytest.mark.parametrize(
    ("meter", "now", "expected"),
    [
        (RateMeter(), 10.0, 0),
        (a_meter(10.1, 10.2, 10.9), 10.95, 3),
        (a_meter(10.1, 10.2, 10.9), 11.5, 3),
        (a_meter(10.1, 10.2, 10.9), 12.0, 0),
        (a_meter(10.1, 10.2, 10.9, 11.0), 11.1, 3),
        (a_meter(10.1, 11.0, 11.1), 11.1, 2),
        (a_meter(10.1, 10.2, 12.0), 12.1, 1),
    ],
)
def test_the_meter_counts_the_last_full_second_or_this_one(
    meter: RateMeter, now: float, expected: int
) -> None:
    assert meter.per_second(now) == expected
