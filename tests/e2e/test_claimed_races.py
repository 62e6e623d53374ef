"""An OK reaches what is claimed and has not begun; long form: measure/races.py --claimed."""

from pathlib import Path

from tests.scenarios.claimed_races import Scenario, figures, run_scenario


async def test_no_body_begins_after_a_cancel_or_a_block_of_a_claimed_job(tmp_path: Path) -> None:
    found = await run_scenario(tmp_path, Scenario(seed=1, jobs=160, max_reply_seconds=0.4))

    seen = figures(found)

    assert seen["first_problems"] == []
    # The seed is worth its time: each call came in time for some, and too late for others.
    assert {"CancelJob: OK", "CancelJobs: OK 1", "AddSuppression: OK"} <= seen["answers"].keys()
    assert {"SENT", "CANCELLED", "SUPPRESSED"} <= seen["states"].keys()
