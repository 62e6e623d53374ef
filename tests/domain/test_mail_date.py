"""The Date header of a mail, by the history of its job."""

from datetime import datetime

import pytest

from gcsched.domain.job import Job, State
from gcsched.domain.mail_date import choose_date, find_date_to_keep
from gcsched.domain.smtp_reply import Kind
from tests.support.builders import NOW, a_claimed_job, a_job, an_attempt
from tests.support.clocks import HOUR

STORED = NOW + HOUR
UNCERTAIN, LATER = an_attempt(kind=Kind.UNCERTAIN), an_attempt(kind=Kind.DEFERRED)


@pytest.mark.parametrize(
    ("job", "settled", "kept"),
    [
        (a_job(), None, None),
        (a_job(attempts=(LATER,)), None, None),
        (a_job(attempts=(LATER,), date=STORED), STORED, None),
        (a_job(attempts=(LATER, UNCERTAIN, LATER), date=STORED), STORED, STORED),
        # Stored by the version before, which wrote the later one of the two.
        (a_job(attempts=(UNCERTAIN,), create_time=NOW - HOUR), NOW, NOW),
        (a_job(attempts=(UNCERTAIN,), create_time=STORED + HOUR / 7200), STORED, STORED),
    ],
    ids=["new", "put off before", "put off after", "in doubt", "in doubt, old", "asked for late"],
)
def test_the_date_of_the_next_body_and_the_one_that_stays_after_a_command(
    job: Job, settled: datetime | None, kept: datetime | None
) -> None:
    assert choose_date(job) == settled
    assert find_date_to_keep(job) == kept


@pytest.mark.parametrize("attempts", [(LATER,), (LATER, UNCERTAIN)])
def test_rescheduling_and_retrying_clear_the_date_unless_the_relay_may_have_the_mail(
    attempts: tuple[object, ...],
) -> None:
    left = {"attempts": attempts, "date": STORED}
    kept = STORED if UNCERTAIN in attempts else None
    failed = a_job(state=State.FAILED, **left)
    waiting = a_job(state=State.RETRYING, **left)

    moved = waiting.rescheduled(NOW + HOUR, NOW, is_daily=False, expire_time=NOW + 2 * HOUR)
    daily = waiting.rescheduled(NOW + HOUR, NOW, is_daily=True, expire_time=NOW + 2 * HOUR)
    again = failed.reset_for_retry(NOW, expire_time=NOW + HOUR, dedup_until=NOW)

    assert (moved.date, daily.date, again.date) == (kept, kept, kept)


def test_a_mail_of_the_version_before_keeps_the_date_it_had_before_it_was_rescheduled() -> None:
    job = a_job(state=State.RETRYING, attempts=(UNCERTAIN,))

    moved = job.rescheduled(NOW + 9 * HOUR, NOW, is_daily=False, expire_time=NOW + 10 * HOUR)

    assert choose_date(moved) == NOW


def test_a_job_has_the_date_of_the_first_body_that_may_have_left() -> None:
    first = a_claimed_job().retried(an_attempt(date=STORED), due_time=NOW, charged=True)
    claimed = a_claimed_job(attempts=first.attempts, date=first.date)

    assert first.date == STORED
    assert claimed.sent(an_attempt(kind=Kind.ACCEPTED, date=STORED + HOUR)).date == STORED
    assert a_claimed_job().retried(an_attempt(), due_time=NOW, charged=True).date is None
    assert a_claimed_job().unclaimed(NOW).date is None
