"""Faults of every kind for some seconds, on real parts; then all must end well.

The long form is `python -m tests.chaos`.
"""

import json
from pathlib import Path

from tests.chaos.scenario import Scenario, run_scenario


async def test_nothing_is_lost_or_doubled_whatever_breaks(
    tmp_path: Path, on_uncertain: str
) -> None:
    scenario = Scenario(
        seed=7, on_uncertain=on_uncertain, services=2, seconds=6, per_second=30, speedup=8
    )
    report = await run_scenario(scenario, tmp_path)
    assert (report["asked"], report["answered"]) == (180, 180), json.dumps(report)
    assert len(report["faults"]) > 5
    assert not report["problems"], json.dumps(report)
