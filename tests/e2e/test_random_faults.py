"""A thousand mails under faults of all kinds: each ends as its seed determines, and once."""

import pytest

from tests.scenarios.oracle import (
    HARMLESS_FAULTS,
    REFUSALS,
    TRANSIENT_FAULTS,
    UNKNOWN_USER,
    Fault,
)
from tests.scenarios.random_faults import Scenario, figures, run_scenario

FAULTS_OF_MAILS = {
    *(Fault(at, action) for at, actions in TRANSIENT_FAULTS.items() for action in actions),
    *(UNKNOWN_USER, *REFUSALS, *HARMLESS_FAULTS),
}


@pytest.mark.parametrize(
    ("seed", "on_uncertain"), [(1, "resend"), (2, "hold"), (3, "resend")], ids=str
)
async def test_each_mail_ends_as_its_seed_determines(
    mongo_uri: str, redis_url: str, seed: int, on_uncertain: str
) -> None:
    found = await run_scenario(
        Scenario(seed=seed, on_uncertain=on_uncertain, stores=(mongo_uri, redis_url), mails=1000)
    )

    measured = figures(found)

    assert measured["problems"] == []
    assert measured["mails"] == 1000
    # The seed is useful only if each kind of outcome and of fault occurred.
    applied = {(moment.at, action) for moment, action in found.relay.applied_actions}
    assert applied >= FAULTS_OF_MAILS
    assert {"SENT", "FAILED", "SUPPRESSED"} <= measured["states"].keys()
    assert ("UNCERTAIN" in measured["states"]) == (on_uncertain == "hold")
    assert (measured["mails_kept_twice_or_more"] > 0) == (on_uncertain == "resend")
    assert {"CONNECT", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "BODY", "RSET"} <= set(
        measured["faults_at"]
    )
