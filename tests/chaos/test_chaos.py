"""Faults of every sort for some seconds, on real parts; then all must come right.

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
    seen = await run_scenario(scenario, tmp_path)
    assert (seen["asked"], seen["answered"]) == (180, 180), json.dumps(seen)
    assert len(seen["faults"]) > 5
    assert not seen["problems"], json.dumps(seen)
