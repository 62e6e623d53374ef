"""The oracle of the rolling measurement finds what is planted, and nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.mixed_callers import CallResult, MixedCallers
from tests.scenarios.rolling import (
    Fleet,
    Replacement,
    Scenario,
    ScenarioResult,
    gather_evidence,
    problems,
)
from tests.support.program_versions import Version
from tests.support.relay.script import KeptMail

OLD, NEW = (Version(name=name, folder=Path(), commit=name) for name in ("old", "new"))
ANNA, BEN, CLEO = "anna@x.test", "ben@x.test", "cleo@x.test"
UNCERTAIN = [{"kind": "UNCERTAIN"}, {"kind": "ACCEPTED"}]


def a_job(recipient: str, **fields: Any) -> dict[str, Any]:
    ordinary = {"state": "SENT", "reason": "", "attempt": 1, "attempts": [{"kind": "ACCEPTED"}]}
    return {"_id": f"job of {recipient}", "email": recipient, **ordinary, **fields}


def a_result(
    *,
    jobs: Mapping[str, Mapping[str, Any]] | None = None,
    mails: tuple[str, ...] = (ANNA,),
    told: tuple[CallResult, ...] = (),
    log: str = "",
    exit_code: int = 0,
) -> ScenarioResult:
    """Anna's mail was sent, Ben's was cancelled, and Cleo's address was blocked."""
    crowd = MixedCallers(targets=[], seed=1, per_second=1)
    crowd.due |= dict.fromkeys((ANNA, BEN, CLEO), 1000)
    for recipient in crowd.due:
        crowd.accepted[recipient].add(f"job of {recipient}")
    crowd.results += [
        CallResult(recipient=BEN, requested="cancel", answer="OK", at=1002.0),
        CallResult(recipient=CLEO, requested="block", answer="OK", at=1002.0),
        *told,
    ]
    kept = {
        ANNA: a_job(ANNA),
        BEN: a_job(BEN, state="CANCELLED", attempt=0, attempts=[]),
        CLEO: a_job(CLEO, state="SUPPRESSED", attempt=0, attempts=[]),
        **(jobs or {}),
    }
    ledger = [
        KeptMail(sender="", recipient=each, content=b"", time=1003.0, session=1) for each in mails
    ]
    fleet = Fleet(processes=[], versions=(OLD, NEW))
    fleet.replacements.append(
        Replacement(process=0, signal="SIGTERM", exit_code=exit_code, new_version="new")
    )
    scenario = Scenario(seed=1, seconds=1, per_second=1, versions=(OLD, NEW))
    evidence = gather_evidence(crowd, ledger, list(kept.values()), 1003.0)
    return ScenarioResult(
        scenario=scenario, callers=crowd, fleet=fleet, evidence=evidence, logs=[log]
    )


def test_nothing_is_found_where_all_is_well() -> None:
    assert problems(a_result()) == []


def test_a_second_mail_is_no_problem_after_a_doubt() -> None:
    doubted = {ANNA: a_job(ANNA, attempts=UNCERTAIN)}

    assert problems(a_result(jobs=doubted, mails=(ANNA, ANNA))) == []


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param({"mails": ()}, id="sent and not mailed"),
        pytest.param({"mails": (ANNA, ANNA)}, id="twice without a doubt"),
        pytest.param({"mails": (ANNA, BEN)}, id="cancelled and mailed"),
        pytest.param({"mails": (ANNA, CLEO)}, id="blocked and mailed"),
        pytest.param({"jobs": {BEN: a_job(BEN)}, "mails": (ANNA, BEN)}, id="cancelled and sent"),
        pytest.param({"jobs": {ANNA: a_job(ANNA, state="SENDING")}}, id="not final"),
        pytest.param({"jobs": {ANNA: a_job(ANNA, state="CANCELLED")}}, id="nobody cancelled it"),
        pytest.param({"jobs": {ANNA: a_job(ANNA, _id="x")}}, id="another id than was told"),
        pytest.param({"jobs": {"": a_job(ANNA, _id="x")}}, id="two jobs for one wish"),
        pytest.param({"exit_code": 1}, id="a stop that failed"),
        pytest.param({"log": '{"event": "delivery broke"}'}, id="a defect in a log"),
        pytest.param(
            {"told": (CallResult(recipient=ANNA, requested="cancel", answer="INTERNAL", at=1.0),)},
            id="a defect answered",
        ),
    ],
)
def test_what_is_wrong_is_found(planted: dict[str, Any]) -> None:
    assert problems(a_result(**planted))
