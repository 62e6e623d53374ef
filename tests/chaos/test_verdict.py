"""The oracle of the chaos tests finds each planted defect, and nothing else."""

from collections import Counter
from typing import Any

import pytest

from tests.chaos.verdict import Evidence, problems

DUE, FAULTS_ENDED = 1000, 1010.0


def a_job(recipient: str = "anna", **fields: Any) -> dict[str, Any]:
    return {
        "_id": f"job of {recipient}",
        "email": recipient,
        "state": "SENT",
        "reason": "",
        "attempt": 1,
        "attempts": [{"kind": "ACCEPTED"}],
        **fields,
    }


def make_evidence(**fields: Any) -> Evidence:
    defaults: dict[str, Any] = {
        "on_uncertain": "resend",
        "due": {"anna": DUE},
        "accepted": {"anna": {"job of anna"}},
        "codes": Counter(OK=1),
        "error_details": {},
        "unanswered": set(),
        "documents": [a_job()],
        "arrivals": [("anna", 1000.2)],
        "relay_faults": Counter[str](),
        "faults_ended": FAULTS_ENDED,
    }
    return Evidence(**{**defaults, **fields})


def test_a_correct_run_has_no_problems() -> None:
    assert problems(make_evidence()) == []


UNCERTAIN = [{"kind": "UNCERTAIN"}, {"kind": "ACCEPTED"}]
TWICE = [("anna", 1000.2), ("anna", 1030.0)]


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param({"unanswered": {"ben"}}, id="a caller gave up"),
        pytest.param({"documents": []}, id="an accepted job is lost"),
        pytest.param({"documents": [a_job(_id="other")]}, id="another id than callers got"),
        pytest.param({"documents": [a_job(), a_job(_id="other")]}, id="two jobs for one request"),
        pytest.param({"documents": [a_job(state="SENDING")]}, id="not final"),
        pytest.param({"documents": [a_job(state="UNCERTAIN")]}, id="held under resend"),
        pytest.param(
            {"documents": [a_job(state="FAILED")]}, id="FAILED through no fault of the mail"
        ),
        pytest.param({"documents": [a_job(lease=1)]}, id="a lease is left"),
        pytest.param({"arrivals": []}, id="SENT without a mail"),
        pytest.param(
            {"arrivals": [("anna", 1001.0), ("ben", 1001.0)]}, id="a mail without a request"
        ),
        pytest.param({"arrivals": TWICE}, id="twice and never UNCERTAIN"),
        pytest.param(
            {
                "arrivals": TWICE,
                "on_uncertain": "hold",
                "documents": [a_job(attempts=UNCERTAIN)],
            },
            id="twice under hold",
        ),
        pytest.param({"documents": [a_job(attempt=2)]}, id="a crash was charged"),
        pytest.param({"arrivals": [("anna", FAULTS_ENDED + 46)]}, id="too late"),
        pytest.param({"arrivals": [("anna", DUE - 0.1)]}, id="early"),
        pytest.param({"codes": Counter(OK=1, INTERNAL=1)}, id="a defect answered"),
    ],
)
def test_each_planted_defect_is_found(planted: dict[str, Any]) -> None:
    assert problems(make_evidence(**planted))


@pytest.mark.parametrize(
    "harmless",
    [
        pytest.param(
            {"arrivals": TWICE, "documents": [a_job(attempts=UNCERTAIN)]},
            id="twice after UNCERTAIN",
        ),
        pytest.param(
            {"on_uncertain": "hold", "documents": [a_job(state="UNCERTAIN", attempt=0)]},
            id="held under hold",
        ),
        pytest.param(
            {"documents": [a_job(attempt=2)], "relay_faults": Counter(anna=1)},
            id="the relay's fault was charged",
        ),
        pytest.param({"accepted": {}}, id="accepted, but the caller had no answer"),
        pytest.param({"codes": Counter(OK=1, UNAVAILABLE=7)}, id="calls that were repeated"),
    ],
)
def test_allowed_results_are_not_problems(harmless: dict[str, Any]) -> None:
    assert problems(make_evidence(**harmless)) == []
