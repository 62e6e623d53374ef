from datetime import timedelta
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcsched.domain.attempt import Attempt
from gcsched.domain.due import KEEP_TRYING
from gcsched.domain.job import Job
from gcsched.domain.retry import Done, Expire, GiveUp, Hold, OnUncertain, RetryPolicy, TryAgain
from gcsched.domain.smtp_reply import Kind
from tests.support.builders import NOW, a_claimed_job, an_attempt

POLICY = RetryPolicy()
HOLD = RetryPolicy(on_uncertain=OnUncertain.HOLD)


def seconds_until_next(
    attempt: Attempt, *, job: Job | None = None, policy: RetryPolicy = POLICY, chance: float = 1.0
) -> float:
    verdict = policy.judge(job or a_claimed_job(), attempt, chance=chance)
    assert isinstance(verdict, TryAgain)
    return (verdict.at - attempt.end_time).total_seconds()


def test_an_accepted_mail_is_done() -> None:
    verdict = POLICY.judge(a_claimed_job(), an_attempt(kind=Kind.ACCEPTED), chance=0.5)

    assert verdict == Done()


@pytest.mark.parametrize("kind", [Kind.RECIPIENT, Kind.CONTENT, Kind.POLICY])
def test_a_refusal_is_final_at_the_first_attempt(kind: Kind) -> None:
    refused = an_attempt(kind=kind, text="550 at RCPT: no")

    verdict = POLICY.judge(a_claimed_job(attempt=0), refused, chance=0.5)

    assert verdict == GiveUp("550 at RCPT: no")


MINUTE, HOUR = 60, 3600


@pytest.mark.parametrize(
    ("attempts_before", "longest_wait"),
    [(0, MINUTE), (1, 5 * MINUTE), (2, 15 * MINUTE), (3, HOUR), (4, 2 * HOUR), (5, 4 * HOUR)],
)
@pytest.mark.parametrize("kind", [Kind.DEFERRED, Kind.UNCERTAIN])
def test_the_wait_grows_with_each_attempt(
    kind: Kind, attempts_before: int, longest_wait: int
) -> None:
    job, put_off = a_claimed_job(attempt=attempts_before), an_attempt(kind=kind)

    assert POLICY.judge(job, put_off, chance=1.0) == TryAgain(
        at=put_off.end_time + timedelta(seconds=longest_wait), charged=True
    )
    assert seconds_until_next(put_off, job=job, chance=0.5) == longest_wait / 2


@pytest.mark.parametrize("kind", [Kind.DEFERRED, Kind.UNCERTAIN])
def test_the_eighth_attempt_is_the_last(kind: Kind) -> None:
    put_off = an_attempt(kind=kind, text="450 at RCPT: busy")

    verdict = POLICY.judge(a_claimed_job(attempt=7), put_off, chance=0.5)

    assert verdict == GiveUp("8 attempts failed, the last with: 450 at RCPT: busy")


def test_all_attempts_together_fit_into_the_time_that_a_job_has() -> None:
    waits = [POLICY.wait(tries, 1.0) for tries in range(1, POLICY.max_attempts)]

    assert timedelta(hours=11) < sum(waits, timedelta(0)) < KEEP_TRYING


def test_a_policy_of_one_attempt_never_tries_again() -> None:
    verdict = RetryPolicy(max_attempts=1).judge(a_claimed_job(), an_attempt(), chance=0.5)

    assert isinstance(verdict, GiveUp)


def test_the_last_wait_applies_to_all_further_attempts() -> None:
    patient = RetryPolicy(max_attempts=50)

    waits = [
        seconds_until_next(an_attempt(), job=a_claimed_job(attempt=before), policy=patient)
        for before in (5, 6, 48)
    ]

    assert waits == [4 * HOUR] * 3


def test_a_wait_is_never_shorter_than_a_second() -> None:
    assert seconds_until_next(an_attempt(), chance=0.0) == 1


def test_the_next_try_is_due_at_a_whole_second_rounded_up() -> None:
    ended = NOW + timedelta(seconds=1, microseconds=1)

    later = POLICY.judge(a_claimed_job(), an_attempt(end_time=ended), chance=0.5)
    verdict = POLICY.judge(a_claimed_job(), an_attempt(end_time=ended, kind=Kind.RELAY), chance=1.0)

    assert later == TryAgain(at=NOW + timedelta(seconds=32), charged=True)
    assert verdict == TryAgain(at=NOW + timedelta(seconds=3), charged=False)


def test_a_hint_of_the_relay_replaces_the_wait() -> None:
    greylisted = an_attempt(code=451, text="451 4.7.1 at RCPT: try again in 300 seconds")

    assert seconds_until_next(greylisted, chance=0.0) == 300


def test_our_own_text_is_not_a_hint() -> None:
    silent = an_attempt(kind=Kind.UNCERTAIN, code=None, text="BODY: no answer within 600 seconds")

    assert seconds_until_next(silent, chance=1.0) == MINUTE


def test_a_hint_does_not_add_attempts() -> None:
    greylisted = an_attempt(code=451, text="451 at RCPT: try again in 300 seconds")

    verdict = POLICY.judge(a_claimed_job(attempt=7), greylisted, chance=0.5)

    assert isinstance(verdict, GiveUp)


@pytest.mark.parametrize(("attempts_before", "wait"), [(0, 1), (1, 2), (5, 32), (6, 60), (50, 60)])
def test_a_failure_of_the_relay_is_never_charged_and_backs_off_a_minute_at_most(
    attempts_before: int, wait: int
) -> None:
    failure = an_attempt(kind=Kind.RELAY, code=None, text="CONNECT: refused")
    job = a_claimed_job(attempt=7, attempts=(failure,) * attempts_before)

    verdict = POLICY.judge(job, failure, chance=1.0)

    assert verdict == TryAgain(at=failure.end_time + timedelta(seconds=wait), charged=False)


def test_a_hint_in_a_421_replaces_the_wait_too() -> None:
    closing = an_attempt(kind=Kind.RELAY, code=421, text="421 4.7.0 at MAIL: wait 10 minutes")

    assert POLICY.judge(a_claimed_job(), closing, chance=0.0) == TryAgain(
        at=closing.end_time + timedelta(minutes=10), charged=False
    )


def test_a_hint_for_all_mails_is_limited_to_a_quarter_of_an_hour() -> None:
    closing = an_attempt(kind=Kind.RELAY, code=421, text="421 4.7.0 at MAIL: back in 4 hours")
    greylisted = an_attempt(code=450, text="450 4.2.0 at RCPT: back in 4 hours")

    assert seconds_until_next(closing, chance=0.0) == 15 * MINUTE
    assert seconds_until_next(greylisted, chance=0.0) == 4 * HOUR


@pytest.mark.parametrize(
    ("kind", "charged"), [(Kind.DEFERRED, True), (Kind.UNCERTAIN, True), (Kind.RELAY, False)]
)
def test_a_job_expires_at_once_if_the_next_attempt_would_be_too_late(
    kind: Kind, *, charged: bool
) -> None:
    put_off = an_attempt(kind=kind, text="450 at RCPT: busy")
    job = a_claimed_job(
        expire_time=put_off.end_time + timedelta(seconds=59), attempts=(put_off,) * 6
    )

    assert POLICY.judge(job, put_off, chance=0.9) == TryAgain(
        at=put_off.end_time + timedelta(seconds=54), charged=charged
    )
    assert POLICY.judge(job, put_off, chance=1.0) == Expire(
        "not sent by 2026-07-01T12:01:00+00:00, the last attempt: 450 at RCPT: busy",
        charged=charged,
    )


def test_the_very_last_moment_is_not_too_late() -> None:
    put_off = an_attempt()
    job = a_claimed_job(expire_time=put_off.end_time + timedelta(seconds=MINUTE))

    assert seconds_until_next(put_off, job=job) == MINUTE


def test_a_hint_beyond_the_limit_expires_the_job() -> None:
    greylisted = an_attempt(code=451, text="451 at RCPT: try again in 300 seconds")
    job = a_claimed_job(expire_time=greylisted.end_time + timedelta(seconds=299))

    assert isinstance(POLICY.judge(job, greylisted, chance=0.0), Expire)


def test_a_job_without_attempts_left_has_failed_even_if_it_is_late() -> None:
    verdict = POLICY.judge(a_claimed_job(attempt=7, expire_time=NOW), an_attempt(), chance=0.5)

    assert isinstance(verdict, GiveUp)


@pytest.mark.parametrize("kind", [Kind.ACCEPTED, Kind.RECIPIENT, Kind.CONTENT, Kind.POLICY])
def test_a_permanent_answer_is_final_also_after_the_expire_time(kind: Kind) -> None:
    verdict = POLICY.judge(a_claimed_job(expire_time=NOW), an_attempt(kind=kind), chance=0.5)

    assert isinstance(verdict, Done | GiveUp)


def test_a_lost_reply_is_held_at_any_attempt_under_the_policy_hold() -> None:
    lost = an_attempt(kind=Kind.UNCERTAIN, code=None)

    jobs = [a_claimed_job(), a_claimed_job(attempt=7), a_claimed_job(expire_time=NOW)]
    verdicts = [HOLD.judge(job, lost, chance=0.5) for job in jobs]

    reason = "the relay's reply to the body is unknown: it may have taken the mail"
    assert verdicts == [Hold(reason)] * 3


def test_holding_concerns_lost_replies_only() -> None:
    assert seconds_until_next(an_attempt(kind=Kind.DEFERRED), policy=HOLD) == MINUTE


def test_an_unknown_kind_is_a_defect() -> None:
    odd = an_attempt(kind=cast("Kind", "ODD"))

    with pytest.raises(AssertionError):
        POLICY.judge(a_claimed_job(), odd, chance=0.5)


@given(
    waits=st.lists(st.timedeltas(timedelta(milliseconds=1), timedelta(days=1)), min_size=1),
    tries=st.integers(1, 60),
    chance=st.floats(0, 1),
)
@settings(deadline=None, max_examples=100)
def test_any_wait_is_between_a_second_and_the_longest(
    waits: list[timedelta], tries: int, chance: float
) -> None:
    longest = max(*waits, timedelta(seconds=1))

    wait = RetryPolicy(waits=tuple(waits)).wait(tries, chance)

    assert timedelta(seconds=1) <= wait <= longest
