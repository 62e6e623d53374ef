"""The commands for a job; oracle: the contract in proto/task.proto, case by case."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from gcsched.domain import commands
from gcsched.domain.checks import require_valid
from gcsched.domain.commands import Cancel, JobCommand, Resolve, Retry
from gcsched.domain.job import Job, State
from gcsched.errors import IllegalTransition, InvalidRequest
from tests.support.builders import NOON, NOW, a_claimed_job, a_job, an_attempt
from tests.support.clocks import DAY, HOUR
from tests.support.commands import LATER, TOMORROW_AT_TEN, a_reschedule, apply_command

COMMANDS: dict[str, tuple[JobCommand, set[str]]] = {
    "cancel": (Cancel(), {"QUEUED", "SCHEDULED", "RETRYING", "SENDING"}),
    "reschedule": (a_reschedule(NOON + 3600), {"QUEUED", "SCHEDULED", "RETRYING", "SENDING"}),
    "to the daily queue": (a_reschedule(0), {"QUEUED", "SCHEDULED", "RETRYING", "SENDING"}),
    "retry": (
        Retry(keep_trying=DAY, window=DAY),
        {"FAILED", "EXPIRED", "UNCERTAIN", "SUPPRESSED"},
    ),
    "resolve as sent": (Resolve(state=State.SENT, reason=""), {"UNCERTAIN"}),
    "resolve as failed": (Resolve(state=State.FAILED, reason=""), {"UNCERTAIN"}),
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_applies_in_the_states_of_the_contract_and_no_other(
    name: str, state: State
) -> None:
    command, states = COMMANDS[name]
    job = a_job(state=state, state_time=NOW)
    if state in states:
        assert apply_command(command, job).version == job.version + 1
        return

    with pytest.raises(IllegalTransition) as caught:
        apply_command(command, job)

    assert caught.value.metadata == {
        "job_id": "job-1",
        "state": state.value,
        "state_time": "2026-07-01T12:00:00+00:00",
    }


@pytest.mark.parametrize("name", ["cancel", "reschedule", "to the daily queue"])
def test_a_claimed_job_loses_its_claim_until_its_body_has_begun(name: str) -> None:
    command, _ = COMMANDS[name]

    changed = apply_command(command, a_claimed_job())
    with pytest.raises(IllegalTransition) as caught:
        apply_command(command, a_claimed_job(begun=NOW))

    assert (changed.claim, changed.begun, changed.version) == (None, None, 2)
    assert "its body has begun" in str(caught.value)
    assert "try again in a minute" in str(caught.value)


def test_a_waiting_job_with_a_stale_begun_mark_can_be_cancelled() -> None:
    assert apply_command(Cancel(), a_job(begun=NOW)).state is State.CANCELLED


CANCELLED = a_job(version=7).cancelled(LATER, reason="")
RESET_FOR_RETRY = a_job(state=State.FAILED, version=7, dedup_key=None).reset_for_retry(
    LATER, expire_time=LATER + DAY, dedup_until=LATER + DAY
)
MOMENT = timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("expected", "stored", "is_made"),
    [
        (CANCELLED, CANCELLED, True),
        (CANCELLED, replace(CANCELLED, version=9, email=""), True),  # erased since
        (CANCELLED, replace(CANCELLED, state_time=LATER + MOMENT), False),  # by another caller
        (CANCELLED, a_job(version=7), False),
        (CANCELLED, a_job(version=8, state=State.SENDING), False),
        (RESET_FOR_RETRY, RESET_FOR_RETRY, True),
        (
            RESET_FOR_RETRY,
            replace(RESET_FOR_RETRY, state=State.SENDING, version=9, state_time=LATER + DAY),
            True,
        ),
        (RESET_FOR_RETRY, replace(RESET_FOR_RETRY, state_time=LATER + MOMENT), False),
        (
            RESET_FOR_RETRY,
            replace(RESET_FOR_RETRY, version=9, expire_time=LATER + DAY + MOMENT),
            False,
        ),
        (RESET_FOR_RETRY, a_job(state=State.FAILED, version=7), False),
    ],
)
def test_our_own_change_of_a_job_is_distinguished_from_those_of_others(
    expected: Job, stored: Job, *, is_made: bool
) -> None:
    assert commands.is_applied(expected, stored) is is_made


@pytest.mark.parametrize("name", COMMANDS)
def test_id_and_message_id_never_change(name: str) -> None:
    command, states = COMMANDS[name]
    job = a_job(state=State(min(states)), attempts=(an_attempt(),))

    changed = apply_command(command, job)

    assert (changed.id, changed.message_id) == (job.id, job.message_id)
    assert changed.attempts == job.attempts


def test_a_cancelled_job_lets_its_key_go_and_says_why() -> None:
    cancelled = apply_command(Cancel(reason="moved"), a_job())

    assert cancelled == a_job(
        state=State.CANCELLED,
        state_time=LATER,
        version=1,
        reason="moved",
        dedup_key=None,
        released_key="key-1",
    )


def test_a_rescheduled_job_waits_for_the_new_time() -> None:
    in_two_days = NOON + 2 * 86_400

    moved = apply_command(a_reschedule(in_two_days), a_job())

    due = NOW + 2 * DAY
    assert moved == a_job(
        due_time=due, schedule_time=due, expire_time=due + DAY, state_time=LATER, version=1
    )


def test_a_job_that_was_tried_stays_retrying_when_it_is_rescheduled() -> None:
    tried = a_job(state=State.RETRYING, attempt=1, attempts=(an_attempt(),), reason="450 busy")
    queued = replace(tried, state=State.QUEUED)

    moved, dequeued = (
        apply_command(a_reschedule(NOON + 3600), tried),
        apply_command(a_reschedule(NOON + 3600), queued),
    )

    assert (moved.state, moved.due_time, moved.attempt, moved.reason) == (
        "RETRYING",
        NOW + HOUR,
        1,
        "450 busy",
    )
    assert dequeued.state is State.RETRYING


def test_a_later_limit_stays_when_a_job_is_rescheduled() -> None:
    limit = NOW + 30 * DAY

    moved = apply_command(a_reschedule(NOON + 3600), a_job(expire_time=limit))

    assert moved.expire_time == limit


def test_a_past_time_means_now() -> None:
    now = LATER + timedelta(microseconds=5)

    moved = apply_command(
        a_reschedule(NOON - 3600), a_job(due_time=NOW + DAY, schedule_time=NOW + DAY), now=now
    )

    assert (moved.due_time, moved.schedule_time, moved.expire_time) == (LATER, LATER, LATER + DAY)


def test_zero_means_the_next_daily_run() -> None:
    queued = apply_command(a_reschedule(0), a_job())

    assert (queued.state, queued.due_time, queued.schedule_time) == (
        "QUEUED",
        TOMORROW_AT_TEN,
        TOMORROW_AT_TEN,
    )
    assert queued.expire_time == TOMORROW_AT_TEN + DAY


def test_an_uncertain_job_is_resolved_as_an_operator_reports() -> None:
    uncertain = a_job(state=State.UNCERTAIN, attempt=1, attempts=(an_attempt(),))

    sent = apply_command(
        require_valid(commands.parse_resolve(State.SENT, "in the relay's log")), uncertain
    )
    failed = apply_command(
        require_valid(commands.parse_resolve(State.FAILED, "not there")), uncertain
    )

    assert (sent.state, sent.reason, sent.dedup_key) == ("SENT", "in the relay's log", "key-1")
    assert (failed.state, failed.dedup_key, failed.released_key) == ("FAILED", None, "key-1")
    assert sent.attempt == failed.attempt == 1


SATISFIED: list[tuple[JobCommand, Job]] = [
    (Cancel(reason="again"), a_job(state=State.CANCELLED)),
    (a_reschedule(NOON + 3600), a_job(due_time=NOW + HOUR)),
    (a_reschedule(NOON + 3600), a_job(state=State.RETRYING, due_time=NOW + HOUR)),
    (a_reschedule(NOON - 3600), a_job(due_time=NOW)),
    (a_reschedule(NOON - 3600), a_claimed_job(due_time=NOW)),
    (a_reschedule(0), a_job(state=State.QUEUED, due_time=TOMORROW_AT_TEN)),
    (Retry(keep_trying=DAY, window=DAY), a_job(state=State.RETRYING, due_time=NOW)),
    (Resolve(state=State.SENT, reason=""), a_job(state=State.SENT)),
    (Resolve(state=State.FAILED, reason=""), a_job(state=State.FAILED)),
]
UNSATISFIED: list[tuple[JobCommand, Job]] = [
    (Cancel(), a_job(state=State.SENT)),
    (a_reschedule(NOON + 3600), a_job(due_time=NOW)),
    (a_reschedule(NOON + 3600), a_claimed_job(due_time=NOW)),
    (a_reschedule(NOON - 3600), a_claimed_job(due_time=NOW, begun=NOW)),
    (a_reschedule(NOON - 3600), a_job(due_time=NOW + DAY)),
    (a_reschedule(0), a_job(due_time=TOMORROW_AT_TEN)),
    (Retry(keep_trying=DAY, window=DAY), a_job(state=State.RETRYING, due_time=NOW + HOUR)),
    (Retry(keep_trying=DAY, window=DAY), a_job(due_time=NOW)),
    (Resolve(state=State.SENT, reason=""), a_job(state=State.FAILED)),
]


@pytest.mark.parametrize(("command", "job"), SATISFIED)
def test_a_command_that_is_satisfied_changes_nothing(command: JobCommand, job: Job) -> None:
    assert commands.is_satisfied(command, job, now=LATER)


@pytest.mark.parametrize(("command", "job"), UNSATISFIED)
def test_a_command_that_is_not_satisfied_is_recognised(command: JobCommand, job: Job) -> None:
    assert not commands.is_satisfied(command, job, now=LATER)


@pytest.mark.parametrize(
    ("make", "fields"),
    [
        (lambda: require_valid(commands.parse_cancel("x" * 257)), {"reason"}),
        (lambda: require_valid(commands.parse_cancel("a\nb")), {"reason"}),
        (lambda: a_reschedule(-1), {"timestamp"}),
        (lambda: a_reschedule(NOON * 1000), {"timestamp"}),
        (
            lambda: require_valid(commands.parse_resolve(State.CANCELLED, "x" * 257)),
            {"state", "reason"},
        ),
        (lambda: require_valid(commands.parse_resolve(None, "")), {"state"}),
    ],
)
def test_a_command_that_breaks_the_contract_is_refused(
    make: Callable[[], JobCommand], fields: set[str]
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        make()

    assert {each.field for each in caught.value.violations} == fields
