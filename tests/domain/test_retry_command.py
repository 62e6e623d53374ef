"""Retries of a job by an operator: when they are possible, and what the job gets."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from gcsched.domain.commands import Reschedule, Retry
from gcsched.domain.job import State
from gcsched.domain.smtp_reply import Kind
from gcsched.errors import IllegalTransition
from tests.support.builders import NOW, a_job, a_suppression, an_attempt
from tests.support.clocks import DAY, HOUR
from tests.support.commands import apply_command


def test_a_retried_job_is_due_now_with_all_attempts_left_and_its_key() -> None:
    now = NOW + 2 * DAY + timedelta(microseconds=5)
    failed = a_job(
        state=State.FAILED,
        attempt=8,
        lease_expirations=3,
        attempts=(an_attempt(),),
        reason="gave up",
        dedup_key=None,
        released_key="key-1",
        version=7,
    )

    retried = apply_command(Retry(keep_trying=DAY, window=DAY), failed, now=now)

    assert retried == a_job(
        state=State.RETRYING,
        state_time=now,
        due_time=NOW + 2 * DAY,
        expire_time=now + DAY,
        attempts=(an_attempt(),),
        version=8,
    )


@pytest.mark.parametrize(
    ("hours", "until"), [(2, NOW + 3 * HOUR), (3, NOW + 3 * HOUR), (4, NOW + 4 * HOUR + DAY)]
)
def test_an_expire_time_that_the_caller_set_stays_unless_it_would_be_over(
    hours: int, until: datetime
) -> None:
    job = a_job(expire_time=NOW + 3 * HOUR, has_own_expire_time=True)
    command = Reschedule(schedule_time=NOW + hours * HOUR, is_daily=False, keep_trying=DAY)

    assert apply_command(command, job).expire_time == until


def test_a_retried_job_starts_an_employees_window_again() -> None:
    now = NOW + 2 * DAY
    failed = a_job(state=State.FAILED, create_time=NOW, dedup_until=NOW + DAY)

    retried = apply_command(Retry(keep_trying=DAY, window=DAY), failed, now=now)

    assert retried.dedup_until == now + DAY
    again = replace(retried, state=State.FAILED)
    twice = apply_command(Retry(keep_trying=DAY, window=DAY), again, now=now + 3 * DAY)
    assert twice.dedup_until == now + 4 * DAY


@pytest.mark.parametrize(
    ("after", "until"), [(HOUR, NOW + 2 * HOUR), (3 * HOUR, NOW + 3 * HOUR + DAY)]
)
def test_a_retried_job_keeps_the_limit_its_caller_set_unless_it_is_over(
    after: timedelta, until: datetime
) -> None:
    failed = a_job(state=State.FAILED, expire_time=NOW + 2 * HOUR, has_own_expire_time=True)

    retried = apply_command(Retry(keep_trying=DAY, window=DAY), failed, now=NOW + after)

    assert retried.expire_time == until


def test_an_uncertain_job_still_has_its_key_when_it_is_retried() -> None:
    retried = apply_command(Retry(keep_trying=DAY, window=DAY), a_job(state=State.UNCERTAIN))

    assert (retried.dedup_key, retried.released_key) == ("key-1", None)


def test_a_suppressed_job_is_not_retried_before_its_suppression_is_removed() -> None:
    suppressed, retry = a_job(state=State.SUPPRESSED), Retry(keep_trying=DAY, window=DAY)

    with pytest.raises(IllegalTransition) as caught:
        apply_command(retry, suppressed, suppression=a_suppression())

    assert "suppressed until 2026-07-31" in str(caught.value)
    assert apply_command(retry, suppressed).state is State.RETRYING


def test_a_job_that_failed_is_retried_although_it_suppressed_its_address() -> None:
    job = a_job(state=State.FAILED, attempts=(an_attempt(kind=Kind.RECIPIENT),))

    retried = apply_command(
        Retry(keep_trying=DAY, window=DAY), job, suppression=a_suppression(job_id="job-1")
    )

    assert retried.state is State.RETRYING


def test_a_job_whose_recipient_was_forgotten_is_not_retried() -> None:
    erased = a_job(state=State.FAILED, email="", name="", message="", dedup_key=None)

    with pytest.raises(IllegalTransition) as caught:
        apply_command(Retry(keep_trying=DAY, window=DAY), erased)

    assert "forgotten" in str(caught.value)
