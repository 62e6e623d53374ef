"""The oracle of the chaos tests finds what is planted, and nothing else."""

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
    known: dict[str, Any] = {
        "on_uncertain": "resend",
        "due": {"anna": DUE},
        "accepted": {"anna": {"job of anna"}},
        "codes": Counter(OK=1),
        "words": {},
        "gave_up": set(),
        "documents": [a_job()],
        "arrivals": [("anna", 1000.2)],
        "relay_faults": Counter[str](),
        "faults_ended": FAULTS_ENDED,
    }
    return Evidence(**{**known, **fields})


def test_nothing_is_found_where_all_is_well() -> None:
    assert problems(make_evidence()) == []


UNCERTAIN = [{"kind": "UNCERTAIN"}, {"kind": "ACCEPTED"}]
TWICE = [("anna", 1000.2), ("anna", 1030.0)]


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param({"gave_up": {"ben"}}, id="a caller gave up"),
        pytest.param({"documents": []}, id="an accepted job is lost"),
        pytest.param({"documents": [a_job(_id="other")]}, id="another id than was told"),
        pytest.param({"documents": [a_job(), a_job(_id="other")]}, id="two jobs for one wish"),
        pytest.param({"documents": [a_job(state="SENDING")]}, id="not final"),
        pytest.param({"documents": [a_job(state="UNCERTAIN")]}, id="held under resend"),
        pytest.param({"documents": [a_job(state="FAILED")]}, id="failed by no fault of its own"),
        pytest.param({"documents": [a_job(lease=1)]}, id="a lease is left"),
        pytest.param({"arrivals": []}, id="SENT without a mail"),
        pytest.param({"arrivals": [("anna", 1001.0), ("ben", 1001.0)]}, id="a mail of nobody"),
        pytest.param({"arrivals": TWICE}, id="twice without a doubt"),
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
def test_what_is_wrong_is_found(planted: dict[str, Any]) -> None:
    assert problems(make_evidence(**planted))


@pytest.mark.parametrize(
    "harmless",
    [
        pytest.param(
            {"arrivals": TWICE, "documents": [a_job(attempts=UNCERTAIN)]}, id="twice after a doubt"
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
        pytest.param({"codes": Counter(OK=1, UNAVAILABLE=7)}, id="calls that were asked again"),
    ],
)
def test_what_may_be_is_not_held_against_it(harmless: dict[str, Any]) -> None:
    assert problems(make_evidence(**harmless)) == []
