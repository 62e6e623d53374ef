"""How many sessions a relay gets: by what it replies, on a clock that stands still."""

import pytest

from gcsched.adapters.smtp.session_limit import FIRST_SESSIONS, MIN_FOR_SLOW_RELAY, SessionLimit

QUICK, SLOW = 0.02, 5.0


def record_replies(
    limit: SessionLimit, count: int, seconds: float = QUICK, *, now: float = 100.0
) -> None:
    for _ in range(count):
        limit.record_reply(seconds, now, is_needed=True)


@pytest.mark.parametrize(("maximum", "first"), [(1, 1), (4, 4), (16, 16), (64, FIRST_SESSIONS)])
def test_a_relay_gets_the_first_sessions_at_once(maximum: int, first: int) -> None:
    assert SessionLimit(maximum).current == first


def test_one_session_more_is_allowed_about_once_each_has_sent_a_mail() -> None:
    limit = SessionLimit(64)

    record_replies(limit, FIRST_SESSIONS - 1)
    before = limit.current
    record_replies(limit, 2)

    assert (before, limit.current) == (FIRST_SESSIONS, FIRST_SESSIONS + 1)


def test_sessions_grow_up_to_the_maximum_only() -> None:
    limit = SessionLimit(20)

    record_replies(limit, 1000)

    assert limit.current == 20


def test_sessions_that_no_mail_needs_are_not_added() -> None:
    limit = SessionLimit(64)

    for _ in range(1000):
        limit.record_reply(QUICK, 100.0, is_needed=False)

    assert limit.current == FIRST_SESSIONS


def test_a_complaint_halves_the_sessions_once_a_second() -> None:
    limit = SessionLimit(16)

    limit.record_complaint(100.0)
    limit.record_complaint(100.9)
    once = limit.current
    limit.record_complaint(101.0)

    assert (once, limit.current) == (8, 4)


def test_complaints_leave_one_session() -> None:
    limit = SessionLimit(16)

    for number in range(20):
        limit.record_complaint(100.0 + number)

    assert limit.current == 1


def test_after_a_complaint_sessions_do_not_grow_for_a_minute() -> None:
    limit = SessionLimit(16)
    limit.record_complaint(100.0)

    record_replies(limit, 1000, now=159.9)
    before = limit.current
    record_replies(limit, 1000, now=160.0)

    assert (before, limit.current) == (8, 16)


def test_a_refused_session_shows_how_many_the_relay_takes() -> None:
    limit = SessionLimit(64)
    record_replies(limit, 100)

    limit.record_refused_session(16, 100.0)
    record_replies(limit, 100, now=110.0)
    before = limit.current
    record_replies(limit, 100, now=160.0)

    assert before == 16
    assert limit.current > 16


def test_a_refused_session_is_tried_again_once_the_others_are_stuck() -> None:
    limit = SessionLimit(16)
    record_replies(limit, 1, now=100.0)
    limit.record_refused_session(5, 101.0)

    limit.retry_refused(109.9)
    early = limit.current, limit.is_stuck(109.9)
    limit.retry_refused(110.0)
    limit.retry_refused(110.1)

    assert early == (5, False)
    assert (limit.current, limit.is_stuck(110.1)) == (6, True)


def test_sessions_that_are_stuck_without_a_refusal_get_no_others() -> None:
    limit = SessionLimit(64)

    limit.retry_refused(500.0)

    assert limit.current == FIRST_SESSIONS


def test_a_refused_session_never_adds_sessions() -> None:
    limit = SessionLimit(64)

    limit.record_refused_session(40, 100.0)

    assert limit.current == FIRST_SESSIONS


def test_a_relay_that_slows_down_gets_fewer_sessions_but_not_fewer_than_eight() -> None:
    limit = SessionLimit(24)
    record_replies(limit, 500)
    grown = limit.current

    record_replies(limit, 40, SLOW)
    shrunk = limit.current
    record_replies(limit, 400, SLOW)

    assert grown > shrunk > MIN_FOR_SLOW_RELAY
    assert limit.current == MIN_FOR_SLOW_RELAY


def test_a_slow_relay_keeps_few_sessions_if_it_has_few() -> None:
    limit = SessionLimit(3)
    record_replies(limit, 10)

    record_replies(limit, 400, SLOW)

    assert limit.current == 3


def test_a_relay_that_was_always_slow_is_not_slowing_down() -> None:
    limit = SessionLimit(20)

    record_replies(limit, 1000, SLOW)

    assert limit.current == 20


def test_one_slow_reply_changes_nothing() -> None:
    limit = SessionLimit(16)
    record_replies(limit, 100)

    record_replies(limit, 1, 1.0)

    assert limit.current == 16
