"""A change answered OK while the mail is being sent holds; the long form is measure/races.py."""

from pathlib import Path

from tests.scenarios.races import Scenario, figures, run_scenario


async def test_a_change_and_the_delivery_never_both_win(tmp_path: Path) -> None:
    found = await run_scenario(tmp_path, Scenario(seed=1, jobs=200, spread_seconds=0.5))

    measured = figures(found)

    assert measured["first_problems"] == []
    # The seed is useful only if each of the two won at least once.
    assert {"cancel: OK", "move: OK"} <= measured["answers"].keys()
    assert measured["states"]["SENT"] > 0
    assert measured["states"]["CANCELLED"] > 0
