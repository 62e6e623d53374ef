from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta

import pytest

from gcsched.domain.job import (
    CLAIMABLE,
    FINAL_STATES,
    KEEPS_DEDUP_KEY,
    NEXT,
    RETRYABLE,
    WAITING,
    Job,
    State,
)
from gcsched.domain.smtp_reply import Kind
from gcsched.errors import IllegalTransition
from tests.support.builders import NOW, a_claimed_job, a_job, an_attempt

# The state diagram in docs/architecture.md, arrow by arrow.
LEGAL_MOVES = {
    "QUEUED -> SCHEDULED",  # the daily run, or rescheduled to a time
    "SCHEDULED -> QUEUED",  # rescheduled to daily
    "SCHEDULED -> SENDING",  # claimed
    "RETRYING -> SENDING",
    "SENDING -> SCHEDULED",  # released before its body began
    "SENDING -> RETRYING",  # deferred; released; begun, reply unknown, RESEND
    "SENDING -> SENT",
    "SENDING -> FAILED",
    "SENDING -> UNCERTAIN",
    "SENDING -> EXPIRED",
    "SCHEDULED -> EXPIRED",  # while nothing is claimed
    "RETRYING -> EXPIRED",
    "SENDING -> SUPPRESSED",
    "SENDING -> CANCELLED",  # claimed, and its body has not begun
    "SENDING -> QUEUED",  # rescheduled to daily in that moment
    "UNCERTAIN -> RETRYING",
    "UNCERTAIN -> SENT",  # an operator, or a late 250
    "UNCERTAIN -> FAILED",
    "RETRYING -> SENT",  # a late 250
    "QUEUED -> CANCELLED",
    "SCHEDULED -> CANCELLED",
    "RETRYING -> CANCELLED",
    # A retry leads out of a final state, but never out of SENT or CANCELLED.
    "FAILED -> RETRYING",
    "EXPIRED -> RETRYING",
    "SUPPRESSED -> RETRYING",
    # Not in the diagram: rescheduled to another time or day; after an attempt it is RETRYING.
    "QUEUED -> QUEUED",
    "QUEUED -> RETRYING",
    "SCHEDULED -> SCHEDULED",
    "RETRYING -> QUEUED",
    "RETRYING -> SCHEDULED",  # retried, without any attempt
    "RETRYING -> RETRYING",
    # A late 250, after that.
    "QUEUED -> SENT",
    "SCHEDULED -> SENT",
}

Move = Callable[[Job], Job]
MOVES: dict[str, Move] = {
    "SENT": lambda job: job.sent(an_attempt()),
    "FAILED": lambda job: job.failed(an_attempt(), reason="no"),
    "RETRYING": lambda job: job.retried(an_attempt(), due_time=NOW, charged=True),
    "UNCERTAIN": lambda job: job.held(an_attempt(), reason="lost"),
    "SCHEDULED": lambda job: job.unclaimed(NOW),
    "EXPIRED": lambda job: job.expired(an_attempt(), reason="too late", charged=True),
    "SUPPRESSED": lambda job: job.skipped(State.SUPPRESSED, NOW, reason="no such user"),
}


def test_the_table_of_moves_is_the_state_diagram() -> None:
    table = {f"{state} -> {following}" for state in State for following in NEXT[state]}

    assert table == LEGAL_MOVES


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("target", MOVES)
def test_a_job_makes_a_legal_move_and_refuses_any_other(state: State, target: str) -> None:
    job = a_job(state=state)
    is_legal = f"{state} -> {target}" in LEGAL_MOVES

    with nullcontext() if is_legal else pytest.raises(IllegalTransition):
        moved = MOVES[target](job)

        assert (moved.state, moved.version) == (target, job.version + 1)


def test_an_illegal_move_names_the_job_its_state_and_the_reason() -> None:
    with pytest.raises(IllegalTransition) as caught:
        a_job(state=State.SENT).unclaimed(NOW)

    assert str(caught.value) == (
        "job job-1 has been SENT since 2026-07-01T12:00:00+00:00 and cannot become SCHEDULED:"
        " its mail was sent"
    )
    assert caught.value.metadata == {
        "job_id": "job-1",
        "state": "SENT",
        "state_time": "2026-07-01T12:00:00+00:00",
    }


def test_the_groups_of_states() -> None:
    assert {"SENT", "FAILED", "CANCELLED", "EXPIRED", "SUPPRESSED"} == FINAL_STATES
    assert {"SCHEDULED", "RETRYING"} == set(CLAIMABLE)
    assert {"QUEUED", "SCHEDULED", "RETRYING"} == set(WAITING)
    assert {"FAILED", "EXPIRED", "UNCERTAIN", "SUPPRESSED"} == set(RETRYABLE)
    assert {
        "QUEUED",
        "SCHEDULED",
        "SENDING",
        "RETRYING",
        "UNCERTAIN",
        "SENT",
    } == KEEPS_DEDUP_KEY


def test_a_sent_job_says_how_it_was_sent_and_keeps_its_key() -> None:
    job = a_claimed_job(attempt=1, reason="450 at RCPT: busy", attempts=(an_attempt(),))
    accepted = an_attempt(kind=Kind.ACCEPTED, code=250, end_time=NOW + timedelta(seconds=9))

    sent = job.sent(accepted)

    assert sent == a_job(
        state=State.SENT,
        state_time=NOW + timedelta(seconds=9),
        version=2,
        attempt=2,
        attempts=(an_attempt(), accepted),
        reason="",
        claim=None,
        dedup_key="key-1",
    )


def test_a_failed_job_says_why_and_lets_its_key_go() -> None:
    refused = an_attempt(kind=Kind.RECIPIENT, code=550)

    failed = a_claimed_job().failed(refused, reason="550 at RCPT: unknown")

    assert failed == a_job(
        state=State.FAILED,
        state_time=refused.end_time,
        version=2,
        attempt=1,
        attempts=(refused,),
        reason="550 at RCPT: unknown",
        claim=None,
        dedup_key=None,
        released_key="key-1",
    )


def test_a_job_that_expires_after_an_attempt_keeps_it_and_lets_its_key_go() -> None:
    expired = a_claimed_job().expired(an_attempt(), reason="too late", charged=True)

    assert expired == a_job(
        state=State.EXPIRED,
        state_time=an_attempt().end_time,
        version=2,
        attempt=1,
        attempts=(an_attempt(),),
        reason="too late",
        claim=None,
        dedup_key=None,
        released_key="key-1",
    )


@pytest.mark.parametrize("state", [State.EXPIRED, State.SUPPRESSED])
def test_a_job_that_is_skipped_made_no_attempt_and_lets_its_key_go(state: State) -> None:
    job = a_claimed_job(attempt=1, attempts=(an_attempt(),))

    ended = job.skipped(state, NOW, reason="not to be sent")

    assert ended == a_job(
        state=state,
        state_time=NOW,
        version=2,
        attempt=1,
        attempts=(an_attempt(),),
        reason="not to be sent",
        claim=None,
        dedup_key=None,
        released_key="key-1",
    )


def test_a_retried_job_is_due_later_and_keeps_its_schedule_time() -> None:
    later = NOW + timedelta(minutes=5)

    retried = a_claimed_job().retried(an_attempt(), due_time=later, charged=True)

    assert (retried.state, retried.due_time, retried.schedule_time) == (State.RETRYING, later, NOW)
    assert (retried.attempt, retried.reason) == (1, "450 at RCPT: busy")
    assert (retried.claim, retried.dedup_key) == (None, "key-1")


def test_a_held_job_keeps_its_key() -> None:
    held = a_claimed_job().held(an_attempt(kind=Kind.UNCERTAIN), reason="reply lost")

    assert (held.state, held.reason, held.dedup_key) == (State.UNCERTAIN, "reply lost", "key-1")
    assert (held.claim, held.attempt) == (None, 1)


@pytest.mark.parametrize(
    "move",
    [
        lambda job: job.failed(an_attempt(), reason="no", charged=False),
        lambda job: job.retried(an_attempt(), due_time=NOW, charged=False),
        lambda job: job.held(an_attempt(), reason="lost", charged=False),
        lambda job: job.expired(an_attempt(), reason="too late", charged=False),
    ],
    ids=["failed", "retried", "held", "expired"],
)
def test_an_outcome_that_is_not_charged_is_still_in_the_history(move: Move) -> None:
    moved = move(a_claimed_job(attempt=2))

    assert moved.attempt == 2
    assert moved.attempts == (an_attempt(),)


def test_a_released_job_is_as_if_it_had_not_been_claimed() -> None:
    now = NOW + timedelta(seconds=3)

    released = a_claimed_job().unclaimed(now)

    assert released == a_job(state_time=now, version=2)


def test_a_released_job_that_was_tried_before_is_still_retrying() -> None:
    job = a_claimed_job(attempt=1, attempts=(an_attempt(),), reason="450 at RCPT: busy")

    released = job.unclaimed(NOW)

    assert released.state is State.RETRYING
    assert (released.attempt, released.attempts) == (1, (an_attempt(),))
    assert (released.claim, released.reason) == (None, "450 at RCPT: busy")


def test_a_released_job_is_still_retrying_even_if_no_try_was_charged() -> None:
    job = a_claimed_job(attempt=0, attempts=(an_attempt(kind=Kind.RELAY, code=None),))

    released = job.unclaimed(NOW)

    assert released.state is State.RETRYING


def test_a_postponed_job_is_released_for_later_and_nothing_is_charged() -> None:
    now, later = NOW + timedelta(seconds=3), NOW + timedelta(seconds=9)
    tried = a_claimed_job(attempt=1, attempts=(an_attempt(),))

    assert a_claimed_job().postponed(later, now) == a_job(state_time=now, due_time=later, version=2)
    assert (tried.postponed(later, now).state, tried.postponed(later, now).attempt) == (
        "RETRYING",
        1,
    )


def test_a_job_is_not_postponed_to_a_past_time() -> None:
    now = NOW + timedelta(seconds=3)

    assert a_claimed_job().postponed(NOW, now).due_time == now


def test_the_history_keeps_the_latest_fifty_attempts() -> None:
    earlier = tuple(an_attempt(text=str(number)) for number in range(50))
    job = a_claimed_job(attempt=50, attempts=earlier)

    retried = job.retried(an_attempt(text="50"), due_time=NOW, charged=True)

    assert [attempt.text for attempt in retried.attempts] == [str(n) for n in range(1, 51)]
    assert retried.attempt == 51


def test_the_history_keeps_uncertain_attempts_longest() -> None:
    lost = an_attempt(kind=Kind.UNCERTAIN, text="lost")
    earlier = (lost, *(an_attempt(text=str(number)) for number in range(1, 50)))
    job = a_claimed_job(attempt=50, attempts=earlier)

    retried = job.retried(an_attempt(text="50"), due_time=NOW, charged=True)

    assert [each.text for each in retried.attempts] == ["lost", *(str(n) for n in range(2, 51))]


def test_a_move_leaves_the_job_that_made_it_as_it_was() -> None:
    job = a_claimed_job()

    job.sent(an_attempt())

    assert job == a_claimed_job()


def test_a_job_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="immutable type"):
        a_job().state = State.SENT  # type: ignore[misc]  # that it is refused is the point


def test_the_attempt_that_led_to_a_state_is_distinguished_from_older_ones() -> None:
    attempt = an_attempt()
    retried = a_claimed_job().retried(attempt, due_time=NOW, charged=True)
    claimed_again = a_claimed_job(attempts=retried.attempts)

    assert a_job().new_attempt is None
    assert retried.new_attempt == attempt
    assert claimed_again.unclaimed(NOW + timedelta(minutes=1)).new_attempt is None


def test_an_illegal_move_reports_since_when_the_job_is_in_its_state() -> None:
    state_time = NOW + timedelta(milliseconds=123)

    refused = IllegalTransition("j1", "SENT", "CANCELLED", state_time=state_time, why="it has left")

    assert str(refused) == (
        "job j1 has been SENT since 2026-07-01T12:00:00+00:00 and cannot become CANCELLED:"
        " it has left"
    )
    assert refused.metadata["state_time"] == state_time.isoformat()
