"""The oracle of the random scenario, by examples: it must know what a fault comes to."""

import pytest

from tests.scenarios.oracle import UNKNOWN_USER, End, Fate, Fates, Fault, draw
from tests.support.relay.script import Answer, At, Drop, LoseReply, Moment

LOST = Fault(At.BODY, LoseReply())
SENT_TWICE = End(state="SENT", copies=2)


@pytest.mark.parametrize(
    ("fault", "on_uncertain", "ends"),
    [
        (LOST, "resend", [SENT_TWICE]),
        (LOST, "hold", [End(state="UNCERTAIN", copies=1)]),
        (Fault(At.BODY, Drop()), "resend", [End(state="SENT", copies=1)]),
        (Fault(At.BODY, Drop()), "hold", [End(state="UNCERTAIN", copies=0)]),
        (Fault(At.RCPT, Answer(450, "4.2.0 later")), "hold", [End(state="SENT", copies=1)]),
    ],
)
def test_what_a_fault_comes_to(fault: Fault, on_uncertain: str, ends: list[End]) -> None:
    assert Fate(troubles=(fault,), ending=None).ends(on_uncertain) == ends


def test_an_unknown_user_fails_and_nothing_comes() -> None:
    [end] = Fate(troubles=(), ending=UNKNOWN_USER).ends("resend")

    assert end == End(state="FAILED", copies=0, reason="550 5.1.1 at RCPT")


def test_a_trouble_is_met_once_and_the_ending_each_time() -> None:
    later = Fault(At.RCPT, Answer(450, "4.2.0 later"))
    rule = Fates({"a@example.org": Fate(troubles=(later,), ending=UNKNOWN_USER)})
    moment = Moment(at=At.RCPT, nth=1, session=1, recipient="a@example.org")

    met = [rule(moment) for _ in range(3)]

    assert met == [later.action, UNKNOWN_USER.action, UNKNOWN_USER.action]


def test_a_seed_always_draws_the_same() -> None:
    recipients = [f"r{number}@example.org" for number in range(100)]

    assert draw(7, recipients) == draw(7, recipients)
    assert draw(7, recipients) != draw(8, recipients)
