import pytest

from gcsched.bench.scenario import DEFAULT_NAMES, SCENARIOS
from gcsched.cli.commands.bench import SCENARIO_NAMES


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_option_lifts_the_bounds(name: str) -> None:
    most = SCENARIOS[name].with_options(10**9, 10**9, 10**9)

    assert (most.count, most.rounds) == (100_000, 20)
    assert most.spread_seconds in {0, 3_600}


def test_a_longer_soak_keeps_its_rate() -> None:
    longer = SCENARIOS["soak"].with_options(None, None, 600)

    assert (longer.count, longer.spread_seconds) == (30_000, 600)


def test_the_help_names_all_scenarios() -> None:
    assert list(SCENARIO_NAMES) == list(SCENARIOS)
    assert list(DEFAULT_NAMES) == list(SCENARIO_NAMES[: len(DEFAULT_NAMES)])
