import pytest

from gcsched.bench.failure import BenchFailed
from gcsched.bench.scenario import SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_option_lifts_the_bounds(name: str) -> None:
    most = SCENARIOS[name].with_options(100_000, 20, 3_600)

    assert (most.count, most.rounds) == (100_000, 20)
    for beyond, bound in (
        ((100_001, None, None), "--count 100,001: at most 100,000"),
        ((None, 21, None), "--rounds 21: at most 20"),
        ((None, None, 3_601), "--seconds 3,601: at most 3,600"),
    ):
        with pytest.raises(BenchFailed, match=bound):
            SCENARIOS[name].with_options(*beyond)


def test_a_longer_soak_keeps_its_rate() -> None:
    longer = SCENARIOS["soak"].with_options(None, None, 600)

    assert (longer.count, longer.spread_seconds) == (30_000, 600)


def test_a_longer_load_is_not_slower_than_it_says() -> None:
    with pytest.raises(BenchFailed, match="--seconds up to 2,000, or a lower rate by --count"):
        SCENARIOS["even"].with_options(None, None, 3_600)

    slower = SCENARIOS["even"].with_options(36_000, None, 3_600)

    assert SCENARIOS["even"].with_options(None, None, 2_000).count == 100_000
    assert (slower.count, slower.spread_seconds) == (36_000, 3_600)


@pytest.mark.parametrize("name", ["burst", "even", "far"])
def test_slow_calls_get_a_longer_lead(name: str) -> None:
    scenario = SCENARIOS[name].with_options(3_000, None, None)

    assert scenario.choose_lead(20.0) > 3_000 / 20.0
    assert scenario.choose_lead(3_000.0) < 10
