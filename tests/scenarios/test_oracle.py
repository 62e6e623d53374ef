"""The oracle of the random faults, by examples: the final states that faults lead to."""

import pytest

from tests.scenarios.oracle import (
    UNKNOWN_USER,
    Fault,
    FaultPlan,
    FinalState,
    PlannedFaults,
    draw_plans,
)
from tests.support.relay.script import Answer, At, Drop, LoseReply, Moment

LOST = Fault(At.BODY, LoseReply())
SENT_TWICE = FinalState(state="SENT", copies=2)


@pytest.mark.parametrize(
    ("fault", "on_uncertain", "states"),
    [
        (LOST, "resend", [SENT_TWICE]),
        (LOST, "hold", [FinalState(state="UNCERTAIN", copies=1)]),
        (Fault(At.BODY, Drop()), "resend", [FinalState(state="SENT", copies=1)]),
        (Fault(At.BODY, Drop()), "hold", [FinalState(state="UNCERTAIN", copies=0)]),
        (Fault(At.RCPT, Answer(450, "4.2.0 later")), "hold", [FinalState(state="SENT", copies=1)]),
    ],
)
def test_a_fault_has_its_final_states(
    fault: Fault, on_uncertain: str, states: list[FinalState]
) -> None:
    assert (
        FaultPlan(transient_faults=(fault,), final_fault=None).possible_states(on_uncertain)
        == states
    )


def test_an_unknown_user_fails_and_gets_no_mail() -> None:
    [end] = FaultPlan(transient_faults=(), final_fault=UNKNOWN_USER).possible_states("resend")

    assert end == FinalState(state="FAILED", copies=0, reason="550 5.1.1 at RCPT")


def test_a_transient_fault_happens_once_and_the_final_one_each_time() -> None:
    later = Fault(At.RCPT, Answer(450, "4.2.0 later"))
    rule = PlannedFaults(
        {"a@example.org": FaultPlan(transient_faults=(later,), final_fault=UNKNOWN_USER)}
    )
    moment = Moment(at=At.RCPT, nth=1, session=1, recipient="a@example.org")

    actions = [rule(moment) for _ in range(3)]

    assert actions == [later.action, UNKNOWN_USER.action, UNKNOWN_USER.action]


def test_a_seed_always_draws_the_same() -> None:
    recipients = [f"r{number}@example.org" for number in range(100)]

    assert draw_plans(7, recipients) == draw_plans(7, recipients)
    assert draw_plans(7, recipients) != draw_plans(8, recipients)
