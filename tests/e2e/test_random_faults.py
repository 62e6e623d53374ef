"""Two thousand mails under faults of all kinds: each ends as its seed determines, and once."""

import pytest

from tests.scenarios.random_faults import Scenario, figures, run_scenario


@pytest.mark.parametrize(
    ("seed", "on_uncertain"), [(1, "resend"), (2, "hold"), (3, "resend")], ids=str
)
async def test_each_mail_ends_as_its_seed_determines(
    mongo_uri: str, redis_url: str, seed: int, on_uncertain: str
) -> None:
    found = await run_scenario(
        Scenario(seed=seed, on_uncertain=on_uncertain, stores=(mongo_uri, redis_url))
    )

    measured = figures(found)

    assert measured["problems"] == []
    assert measured["mails"] == 2000
    # The seed is useful only if each kind of outcome and of fault occurred.
    assert {"SENT", "FAILED", "SUPPRESSED"} <= measured["states"].keys()
    assert ("UNCERTAIN" in measured["states"]) == (on_uncertain == "hold")
    assert (measured["mails_kept_twice_or_more"] > 0) == (on_uncertain == "resend")
    assert {"CONNECT", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "BODY", "RSET"} <= set(
        measured["faults_at"]
    )
