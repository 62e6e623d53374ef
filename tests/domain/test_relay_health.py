"""The state of a relay after mails and checks, and its next check."""

from itertools import pairwise

import pytest

from gcsched.domain.relay_health import (
    CheckSchedule,
    RelayObservation,
    RelayState,
    is_login_refused,
    is_session_failure,
    next_state,
)
from gcsched.domain.smtp_reply import Answered, Broken, Reply, Stage

PASSED, FAILED = (
    RelayObservation(is_check=True),
    RelayObservation(is_check=True, error="CONNECT: refused"),
)
MAIL_SENT, MAIL_FAILED = RelayObservation(), RelayObservation(error="451 at MAIL: later")
LOCKED_OUT = RelayObservation(is_check=True, error="535 at AUTH: no", is_login_refused=True)
UNKNOWN, UP, DOWN = RelayState.UNKNOWN, RelayState.UP, RelayState.DOWN


@pytest.mark.parametrize("state", RelayState)
@pytest.mark.parametrize("observation", [PASSED, MAIL_SENT])
def test_a_success_brings_it_up(state: RelayState, observation: RelayObservation) -> None:
    assert next_state(state, observation) is UP


@pytest.mark.parametrize("state", RelayState)
def test_a_failed_check_proves_a_failure(state: RelayState) -> None:
    assert next_state(state, FAILED) is RelayState.FAILED


def test_one_failed_mail_proves_a_failure_only_if_the_state_was_unknown() -> None:
    assert next_state(UP, MAIL_FAILED) is UP
    assert next_state(UNKNOWN, MAIL_FAILED) is RelayState.FAILED


@pytest.mark.parametrize("error", ["", "CONNECT: refused"])
def test_an_open_breaker_outweighs_an_observation(error: str) -> None:
    assert next_state(UP, RelayObservation(error=error, is_down=True)) is DOWN


def test_it_is_checked_at_once_and_then_after_about_a_minute_of_idleness() -> None:
    assert CheckSchedule().wait_seconds(chance=1.0) == 0
    assert CheckSchedule().after(PASSED).wait_seconds(chance=0.0) == 45
    assert CheckSchedule().after(MAIL_SENT).wait_seconds(chance=1.0) == 75


def test_a_failed_mail_brings_a_check_soon() -> None:
    assert CheckSchedule().after(MAIL_SENT).after(MAIL_FAILED).wait_seconds(chance=1.0) == 1


def test_failed_checks_are_repeated_ever_more_seldom_up_to_once_a_minute() -> None:
    schedule, waits = CheckSchedule(), []
    for _ in range(9):
        schedule = schedule.after(FAILED)
        waits.append(schedule.wait_seconds(chance=1.0))

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert schedule.wait_seconds(chance=0.0) == 30
    assert all(later >= sooner for sooner, later in pairwise(waits))
    assert schedule.after(PASSED).after(FAILED).wait_seconds(chance=1.0) == 1


def test_a_refused_login_is_not_tried_again_soon() -> None:
    schedule = CheckSchedule().after(LOCKED_OUT)

    assert schedule.wait_seconds(chance=0.0) == 300
    assert schedule.after(FAILED).wait_seconds(chance=1.0) == 2
    assert schedule.after(PASSED).wait_seconds(chance=0.0) == 45


@pytest.mark.parametrize("stage", Stage)
def test_a_session_disproves_only_what_came_before_a_mail(stage: Stage) -> None:
    is_before = stage in {"CONNECT", "TLS", "AUTH"}

    assert is_session_failure(Broken(stage, "gone")) is is_before
    assert is_session_failure(Answered(Reply(stage=stage, code=450))) is is_before


def test_a_login_is_refused_by_a_5xx_alone() -> None:
    assert is_login_refused(Answered(Reply(stage=Stage.AUTH, code=535)))
    assert not is_login_refused(Answered(Reply(stage=Stage.AUTH, code=454)))
    assert not is_login_refused(Answered(Reply(stage=Stage.MAIL, code=535)))
    assert not is_login_refused(Broken(Stage.AUTH, "the password cannot be read"))
