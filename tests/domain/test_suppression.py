from datetime import timedelta

import pytest

from gcsched.domain.job import Job, State
from gcsched.domain.smtp_reply import Kind
from gcsched.domain.suppression import Suppression, expire_time_violations, suppression_from
from tests.support.builders import NOW, a_claimed_job, a_job, a_suppression, an_attempt

MONTH = timedelta(days=30)
REFUSED = an_attempt(kind=Kind.RECIPIENT, code=550, text="550 5.1.1 at RCPT: no such user")


def a_refused_job(**others: object) -> Job:
    return a_claimed_job(**others).failed(REFUSED, reason=REFUSED.text)


def test_an_address_that_a_relay_does_not_know_is_suppressed_for_a_while() -> None:
    suppression = suppression_from(a_refused_job(email="Ada@example.org"), duration=MONTH)

    assert suppression == Suppression(
        address="Ada@example.org",
        reason="550 5.1.1 at RCPT: no such user",
        job_id="job-1",
        create_time=REFUSED.end_time,
        expire_time=REFUSED.end_time + MONTH,
    )


def test_the_latest_attempt_decides() -> None:
    job = a_refused_job(attempts=(an_attempt(), an_attempt(kind=Kind.RELAY)))

    assert suppression_from(job, duration=MONTH) is not None


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.RECIPIENT])
def test_no_other_kind_of_failure_suppresses_the_address(kind: Kind) -> None:
    job = a_claimed_job(attempts=(REFUSED,)).failed(an_attempt(kind=kind), reason="no")

    assert suppression_from(job, duration=MONTH) is None


@pytest.mark.parametrize(
    "job",
    [
        a_claimed_job(attempts=(REFUSED,)).unclaimed(NOW),
        a_claimed_job(attempts=(REFUSED,)).sent(an_attempt(kind=Kind.ACCEPTED)),
        a_claimed_job(attempts=(REFUSED,)).skipped(State.SUPPRESSED, NOW, reason="blocked"),
        a_claimed_job(attempts=(REFUSED,)).skipped(State.FAILED, NOW, reason="not allowed"),
        a_claimed_job().unclaimed(NOW),
    ],
    ids=["given back", "sent", "suppressed", "failed without an attempt", "never tried"],
)
def test_a_job_that_was_not_refused_now_does_not_suppress_its_address(job: Job) -> None:
    assert suppression_from(job, duration=MONTH) is None


def test_a_suppression_applies_to_every_job_but_the_one_that_caused_it() -> None:
    suppression = a_suppression(job_id="job-1")

    assert suppression.applies_to(a_job(id="job-2"))
    assert not suppression.applies_to(a_job(id="job-1"))


def test_a_suppression_names_its_job_its_end_and_its_reason() -> None:
    assert str(a_suppression()) == (
        "the address is suppressed until 2026-07-31, since job job-0:"
        " 550 5.1.1 at RCPT: no such user"
    )


def test_a_suppression_by_a_caller_applies_to_every_job_and_names_none() -> None:
    by_hand = a_suppression(job_id="", reason="asked for it")

    assert by_hand.applies_to(a_job())
    assert str(by_hand) == (
        'the address is suppressed until 2026-07-31: a caller gave the reason "asked for it"'
    )


@pytest.mark.parametrize(("seconds", "count"), [(-1, 1), (0, 1), (1, 0)])
def test_an_expire_time_must_be_in_the_future(seconds: int, count: int) -> None:
    end = NOW + timedelta(seconds=seconds)

    assert len(list(expire_time_violations(end, now=NOW))) == count


def test_a_past_expire_time_is_refused_with_the_present_second() -> None:
    now = NOW + timedelta(milliseconds=123)

    [violation] = expire_time_violations(NOW, now=now)

    second = NOW.isoformat()
    assert violation.problem == f"must be in the future; it is {second} now"
