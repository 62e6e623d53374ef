"""A change of a claimed job that has not begun holds; long form: measure/races.py --claimed."""

from pathlib import Path

from tests.scenarios.claimed_races import Scenario, figures, run_scenario


async def test_no_body_starts_after_a_claimed_job_is_cancelled_or_suppressed(
    tmp_path: Path,
) -> None:
    found = await run_scenario(tmp_path, Scenario(seed=1, jobs=160, max_reply_seconds=0.4))

    measured = figures(found)

    assert measured["first_problems"] == []
    # The seed is useful only if each kind of call came in time for some jobs, too late for others.
    assert {"CancelJob: OK", "CancelJobs: OK 1", "AddSuppression: OK"} <= measured["answers"].keys()
    assert {"SENT", "CANCELLED", "SUPPRESSED"} <= measured["states"].keys()
