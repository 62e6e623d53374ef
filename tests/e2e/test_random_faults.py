"""Two thousand mails through every fault at once: each ends as its seed says, and once."""

import pytest

from tests.scenarios.random_faults import Scenario, figures, run_scenario


@pytest.mark.parametrize(
    ("seed", "on_uncertain"), [(1, "resend"), (2, "hold"), (3, "resend")], ids=str
)
async def test_each_mail_meets_its_fate(
    mongo_uri: str, redis_url: str, seed: int, on_uncertain: str
) -> None:
    found = await run_scenario(
        Scenario(seed=seed, on_uncertain=on_uncertain, stores=(mongo_uri, redis_url))
    )

    seen = figures(found)

    assert seen["problems"] == []
    assert seen["mails"] == 2000
    # The seed is worth its time: nothing of this is empty.
    assert {"SENT", "FAILED", "SUPPRESSED"} <= seen["states"].keys()
    assert ("UNCERTAIN" in seen["states"]) == (on_uncertain == "hold")
    assert (seen["mails_kept_twice_or_more"] > 0) == (on_uncertain == "resend")
    assert {"CONNECT", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "BODY", "RSET"} <= set(
        seen["faults_at"]
    )
