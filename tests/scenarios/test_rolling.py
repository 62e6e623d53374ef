"""The oracle of the rolling upgrade finds each planted defect, and nothing else."""

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


def some_callers(results: tuple[CallResult, ...]) -> MixedCallers:
    callers = MixedCallers(targets=[], seed=1, per_second=1)
    callers.due |= dict.fromkeys((ANNA, BEN, CLEO), 1000)
    for recipient in callers.due:
        callers.accepted[recipient].add(f"job of {recipient}")
    callers.results += [
        CallResult(recipient=BEN, requested="cancel", answer="OK", at=1002.0),
        CallResult(recipient=CLEO, requested="suppress", answer="OK", at=1002.0),
        *results,
    ]
    return callers


def a_result(
    *,
    jobs: Mapping[str, Mapping[str, Any]] | None = None,
    mails: tuple[str, ...] = (ANNA,),
    results: tuple[CallResult, ...] = (),
    log: str = "",
    exit_code: int = 0,
) -> ScenarioResult:
    """Build a run in which Anna's mail is sent, Ben's cancelled, and Cleo's address suppressed."""
    callers = some_callers(results)
    documents = {
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
    evidence = gather_evidence(callers, ledger, list(documents.values()), 1003.0)
    return ScenarioResult(
        scenario=scenario, callers=callers, fleet=fleet, evidence=evidence, logs=[log]
    )


def test_a_correct_run_has_no_problems() -> None:
    assert problems(a_result()) == []


def test_a_second_mail_after_uncertain_is_allowed() -> None:
    jobs = {ANNA: a_job(ANNA, attempts=UNCERTAIN)}

    assert problems(a_result(jobs=jobs, mails=(ANNA, ANNA))) == []


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param({"mails": ()}, id="sent and not mailed"),
        pytest.param({"mails": (ANNA, ANNA)}, id="twice and never UNCERTAIN"),
        pytest.param({"mails": (ANNA, BEN)}, id="cancelled and mailed"),
        pytest.param({"mails": (ANNA, CLEO)}, id="suppressed and mailed"),
        pytest.param({"jobs": {BEN: a_job(BEN)}, "mails": (ANNA, BEN)}, id="cancelled and sent"),
        pytest.param({"jobs": {ANNA: a_job(ANNA, state="SENDING")}}, id="not final"),
        pytest.param(
            {"jobs": {ANNA: a_job(ANNA, state="CANCELLED")}}, id="cancelled without a call"
        ),
        pytest.param({"jobs": {ANNA: a_job(ANNA, _id="x")}}, id="another id than callers got"),
        pytest.param({"jobs": {"": a_job(ANNA, _id="x")}}, id="two jobs for one request"),
        pytest.param({"exit_code": 1}, id="a stop that failed"),
        pytest.param({"log": '{"event": "delivery crashed"}'}, id="a defect in a log"),
        pytest.param({"log": '{"event": "delivery broke"}'}, id="a defect in an older log"),
        pytest.param(
            {
                "results": (
                    CallResult(recipient=ANNA, requested="cancel", answer="INTERNAL", at=1.0),
                )
            },
            id="a defect answered",
        ),
    ],
)
def test_each_planted_defect_is_found(planted: dict[str, Any]) -> None:
    assert problems(a_result(**planted))
