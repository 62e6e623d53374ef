"""Whoever was told OK at the very moment of sending can rely on it; long form: measure/races.py."""

from pathlib import Path

from tests.scenarios.races import Scenario, figures, run_scenario


async def test_a_change_and_the_delivery_never_both_win(tmp_path: Path) -> None:
    found = await run_scenario(tmp_path, Scenario(seed=1, jobs=200, spread_seconds=0.5))

    seen = figures(found)

    assert seen["first_problems"] == []
    # The seed is worth its time: each wins sometimes.
    assert {"cancel: OK", "move: OK"} <= seen["answers"].keys()
    assert seen["states"]["SENT"] > 0
    assert seen["states"]["CANCELLED"] > 0
