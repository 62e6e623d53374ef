from datetime import datetime, timedelta
from typing import cast

import pytest

from gcsched.domain.attempt import Attempt
from gcsched.domain.job import State
from gcsched.domain.outcome import (
    apply_acceptance,
    apply_attempt,
    apply_interruption,
    apply_lease_expiration,
    end_before_attempt,
    make_attempt,
)
from gcsched.domain.recipient_list import RecipientList
from gcsched.domain.retry import GiveUp, OnUncertain, RetryPolicy, TryAgain, Verdict
from gcsched.domain.retry_hint import parse_retry_hint
from gcsched.domain.smtp_reply import Answered, Broken, Kind, Reply, Stage, Withheld
from gcsched.domain.suppression import suppression_from
from tests.support.builders import NOW, a_claimed_job, a_suppression, an_attempt

BEGUN = NOW + timedelta(seconds=1)
LATER = NOW + timedelta(seconds=40)
RESEND = RetryPolicy(on_uncertain=OnUncertain.RESEND)
HOLD = RetryPolicy(on_uncertain=OnUncertain.HOLD)


def attempt_after(transmission: Answered | Broken) -> Attempt:
    return make_attempt(transmission, relay="smtp.example.org", start_time=NOW, end_time=BEGUN)


def test_an_answer_is_recorded_with_code_and_text() -> None:
    reply = Reply(stage=Stage.RCPT, code=550, enhanced_code="5.1.1", text="No such user")

    attempt = attempt_after(Answered(reply))

    assert attempt == Attempt(
        start_time=NOW,
        end_time=BEGUN,
        kind=Kind.RECIPIENT,
        relay="smtp.example.org",
        code=550,
        enhanced_code="5.1.1",
        text="550 5.1.1 at RCPT: No such user",
    )


def test_a_doubted_refusal_counts_for_the_relay_and_is_marked() -> None:
    reply = Reply(stage=Stage.RCPT, code=550, enhanced_code="5.1.1", text="x" * 5000)

    attempt = attempt_after(Answered(reply, is_doubted=True))

    assert (attempt.kind, attempt.enhanced_code, len(attempt.text)) == (Kind.RELAY, "5.1.1", 512)
    assert attempt.text.endswith("(not counted: the relay refuses every recipient)")
    assert parse_retry_hint(attempt.text) is None


def test_a_mailbox_that_stays_full_fails_as_recipient_and_is_not_suppressed() -> None:
    reply = Reply.parse(Stage.RCPT, 552, "5.2.2 mailbox full")
    full = attempt_after(Answered(reply))

    first = apply_attempt(a_claimed_job(), full, policy=RESEND, chance=0.5)
    last = apply_attempt(a_claimed_job(attempt=7), full, policy=RESEND, chance=0.5)

    assert (full.kind, first.state, first.attempt) == (Kind.DEFERRED, State.RETRYING, 1)
    assert (last.state, last.attempts[-1].kind) == (State.FAILED, Kind.RECIPIENT)
    assert last.reason == ("8 attempts failed, the last with: 552 5.2.2 at RCPT: mailbox full")
    assert suppression_from(last, duration=timedelta(days=30)) is None


def test_any_other_deferral_keeps_its_kind_at_the_last_attempt() -> None:
    job = apply_attempt(a_claimed_job(attempt=7), an_attempt(), policy=RESEND, chance=0.5)

    assert (job.state, job.attempts[-1].kind) == (State.FAILED, Kind.DEFERRED)


@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        (Stage.CONNECT, Kind.RELAY),
        (Stage.TLS, Kind.RELAY),
        (Stage.AUTH, Kind.RELAY),
        (Stage.MAIL, Kind.RELAY),
        (Stage.RCPT, Kind.RELAY),
        (Stage.DATA, Kind.RELAY),
        (Stage.BODY, Kind.UNCERTAIN),
    ],
)
def test_a_session_that_breaks_leaves_doubt_only_once_the_body_has_begun(
    stage: Stage, kind: Kind
) -> None:
    attempt = attempt_after(Broken(stage, "connection reset"))

    assert attempt == Attempt(
        start_time=NOW,
        end_time=BEGUN,
        kind=kind,
        relay="smtp.example.org",
        text=f"{stage}: connection reset",
    )


@pytest.mark.parametrize(
    "transmission",
    [
        Answered(Reply(stage=Stage.RCPT, code=550, text="x" * 5000)),
        Broken(Stage.MAIL, "x" * 5000),
    ],
    ids=["answered", "broken"],
)
def test_the_history_quotes_at_most_512_characters(transmission: Answered | Broken) -> None:
    attempt = attempt_after(transmission)

    assert len(attempt.text) == 512


def test_a_withheld_mail_is_not_an_attempt() -> None:
    withheld = cast("Broken", Withheld("the claim is gone"))

    with pytest.raises(AssertionError):
        attempt_after(withheld)


@pytest.mark.parametrize("now", [NOW, NOW + timedelta(days=1)], ids=["in time", "just in time"])
def test_an_ordinary_job_may_be_sent(now: datetime) -> None:
    assert end_before_attempt(a_claimed_job(), suppression=None, now=now) is None


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ("", "not sent by 2026-07-02T12:00:00+00:00"),
        (
            "450 at RCPT: busy",
            "not sent by 2026-07-02T12:00:00+00:00, the last attempt: 450 at RCPT: busy",
        ),
    ],
    ids=["never tried", "tried"],
)
def test_a_job_after_its_expire_time_ends_without_an_attempt(last: str, reason: str) -> None:
    now = NOW + timedelta(days=1, milliseconds=1)
    job = a_claimed_job(reason=last)

    expired = end_before_attempt(job, suppression=a_suppression(), now=now)

    assert expired == job.skipped(State.EXPIRED, now, reason=reason)


def test_a_job_for_a_suppressed_address_is_skipped_with_the_reason() -> None:
    skipped = end_before_attempt(a_claimed_job(), suppression=a_suppression(), now=LATER)

    reason = (
        "the address is suppressed until 2026-07-31, since job job-0:"
        " 550 5.1.1 at RCPT: no such user"
    )
    assert skipped == a_claimed_job().skipped(State.SUPPRESSED, LATER, reason=reason)


def test_a_job_whose_address_is_not_allowed_fails_without_an_attempt() -> None:
    job, allowed = a_claimed_job(), RecipientList.parse("example.com")

    ended = end_before_attempt(job, suppression=a_suppression(), now=LATER, allowed=allowed)

    reason = "not sent: GCSCHED_ALLOWED_RECIPIENTS does not allow the address"
    assert ended == job.skipped(State.FAILED, LATER, reason=reason)
    listed = RecipientList.parse("ada@example.org")
    assert end_before_attempt(job, suppression=None, now=LATER, allowed=listed) is None


def test_a_job_is_not_skipped_for_its_own_refusal() -> None:
    """Its process died between the suppression and the outcome."""
    own = a_suppression(job_id="job-1")

    assert end_before_attempt(a_claimed_job(), suppression=own, now=LATER) is None


def test_a_deferral_beyond_the_expire_time_expires_the_job() -> None:
    failure = an_attempt(kind=Kind.RELAY, code=None, text="CONNECT: refused")

    job = apply_attempt(a_claimed_job(expire_time=NOW), failure, policy=RESEND, chance=0.5)

    reason = "not sent by 2026-07-01T12:00:00+00:00, the last attempt: CONNECT: refused"
    assert (job.state, job.reason, job.attempt) == (State.EXPIRED, reason, 0)
    assert job.attempts == (failure,)


def test_an_accepted_mail_is_sent() -> None:
    accepted = an_attempt(kind=Kind.ACCEPTED, code=250)

    job = apply_attempt(a_claimed_job(), accepted, policy=RESEND, chance=0.5)

    assert job == a_claimed_job().sent(accepted)


def test_a_deferred_mail_is_tried_again_after_the_wait() -> None:
    put_off = an_attempt(kind=Kind.DEFERRED, end_time=NOW)

    job = apply_attempt(a_claimed_job(), put_off, policy=RESEND, chance=0.5)

    assert (job.state, job.due_time) == (State.RETRYING, NOW + timedelta(seconds=30))
    assert job.attempt == 1


def test_a_failure_of_the_relay_uses_up_no_attempt() -> None:
    failure = an_attempt(kind=Kind.RELAY, code=None, text="CONNECT: refused")

    job = apply_attempt(a_claimed_job(attempt=4), failure, policy=RESEND, chance=0.5)

    assert (job.state, job.attempt) == (State.RETRYING, 4)
    assert job.reason == "CONNECT: refused"


def test_a_refused_mail_fails_with_the_relays_text() -> None:
    refused = an_attempt(kind=Kind.RECIPIENT, code=550, text="550 at RCPT: unknown")

    job = apply_attempt(a_claimed_job(), refused, policy=RESEND, chance=0.5)

    assert (job.state, job.reason) == (State.FAILED, "550 at RCPT: unknown")


def test_a_lost_reply_is_held_under_the_policy_hold() -> None:
    lost = an_attempt(kind=Kind.UNCERTAIN, code=None, text="BODY: connection reset")

    job = apply_attempt(a_claimed_job(), lost, policy=HOLD, chance=0.5)

    assert job.state is State.UNCERTAIN
    assert job.reason == "the relay's reply to the body is unknown: it may have taken the mail"
    assert job.attempts == (lost,)


def test_a_lost_reply_is_sent_again_under_the_policy_resend() -> None:
    lost = an_attempt(kind=Kind.UNCERTAIN, code=None, text="BODY: connection reset", end_time=NOW)

    job = apply_attempt(a_claimed_job(), lost, policy=RESEND, chance=1.0)

    assert (job.state, job.due_time) == (State.RETRYING, NOW + timedelta(minutes=1))
    assert (job.attempts, job.message_id) == ((lost,), "job-1@example.org")


def test_an_unknown_verdict_is_a_defect() -> None:
    class Odd(RetryPolicy):
        def judge(self, *_: object, **__: object) -> Verdict:
            return cast("GiveUp | TryAgain", "perhaps")

    with pytest.raises(AssertionError):
        apply_attempt(a_claimed_job(), an_attempt(), policy=Odd(), chance=0.5)


@pytest.mark.parametrize("policy", [RESEND, HOLD], ids=["resend", "hold"])
def test_a_delivery_interrupted_before_its_body_is_released(policy: RetryPolicy) -> None:
    job = apply_interruption(a_claimed_job(), begun=None, policy=policy, now=LATER)

    assert job == a_claimed_job().unclaimed(LATER)
    assert (job.state, job.attempt, job.attempts) == (State.SCHEDULED, 0, ())


CUT_OFF = Attempt(
    start_time=BEGUN,
    end_time=LATER,
    kind=Kind.UNCERTAIN,
    text="interrupted after the body had begun: the relay may have taken the mail",
)


def test_a_delivery_interrupted_in_its_body_is_sent_again_at_once_uncharged() -> None:
    job = apply_interruption(a_claimed_job(attempt=4), begun=BEGUN, policy=RESEND, now=LATER)

    assert (job.state, job.due_time, job.attempt) == (State.RETRYING, LATER, 4)
    assert job.attempts == (CUT_OFF,)


def test_a_delivery_interrupted_in_its_body_is_held_under_the_policy_hold() -> None:
    job = apply_interruption(a_claimed_job(attempt=4), begun=BEGUN, policy=HOLD, now=LATER)

    assert (job.state, job.attempt, job.attempts) == (State.UNCERTAIN, 4, (CUT_OFF,))
    assert job.reason == "the relay's reply to the body is unknown: it may have taken the mail"


@pytest.mark.parametrize(
    ("begun", "state"), [(None, State.SCHEDULED), (BEGUN, State.RETRYING)], ids=["not", "begun"]
)
def test_a_lease_expiration_is_counted_and_otherwise_an_interruption(
    begun: datetime | None, state: State
) -> None:
    job = apply_lease_expiration(
        a_claimed_job(lease_expirations=8), begun=begun, policy=RESEND, now=LATER
    )

    assert (job.state, job.lease_expirations, job.attempt) == (state, 9, 0)
    assert (job.claim, job.state_time, job.version) == (None, LATER, 2)


def test_a_job_whose_worker_died_ten_times_before_the_body_has_failed() -> None:
    claimed_at = NOW + timedelta(seconds=2)
    job = a_claimed_job(lease_expirations=9, state_time=claimed_at)

    failed = apply_lease_expiration(job, begun=None, policy=RESEND, now=LATER)

    assert (failed.state, failed.reason) == (State.FAILED, "its worker died ten times")
    assert (failed.lease_expirations, failed.attempt, failed.dedup_key) == (10, 0, None)
    assert failed.attempts == (
        Attempt(
            start_time=claimed_at, end_time=LATER, kind=Kind.RELAY, text="its worker died ten times"
        ),
    )


def test_a_job_whose_worker_died_ten_times_records_when_the_mail_may_have_left() -> None:
    failed = apply_lease_expiration(
        a_claimed_job(lease_expirations=9), begun=BEGUN, policy=RESEND, now=LATER
    )

    assert failed.state is State.FAILED
    assert failed.attempts == (
        Attempt(
            start_time=BEGUN, end_time=LATER, kind=Kind.UNCERTAIN, text="its worker died ten times"
        ),
    )


def test_a_mail_that_was_noted_as_accepted_is_sent() -> None:
    job = apply_acceptance(a_claimed_job(), begun=BEGUN, now=LATER)

    assert (job.state, job.state_time, job.claim, job.dedup_key) == (
        State.SENT,
        LATER,
        None,
        "key-1",
    )
    assert job.attempts == (
        Attempt(
            start_time=BEGUN,
            end_time=LATER,
            kind=Kind.ACCEPTED,
            text="accepted by the relay; its worker died before recording it",
        ),
    )
