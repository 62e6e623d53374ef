from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcsched.domain.circuit_breaker import (
    Breaker,
    BreakerPolicy,
    is_failure_before_body,
    is_relay_failure,
    may_be_caused_by_mail,
)
from gcsched.domain.smtp_reply import Answered, Broken, Reply, Stage, Transmission, Withheld

POLICY = BreakerPolicy()
CLOSED = Breaker(policy=POLICY)


def fail_times(breaker: Breaker, times: int, *, now: float = 100.0) -> Breaker:
    for _ in range(times):
        breaker = breaker.failed(now, chance=1.0)
    return breaker


def an_answer(stage: Stage, line: str) -> Answered:
    return Answered(Reply.parse(stage, int(line[:3]), line[4:]))


def test_the_fifth_failure_in_a_row_opens_it() -> None:
    assert not fail_times(CLOSED, 4).is_open
    assert fail_times(CLOSED, 5).is_open


def test_an_answer_in_between_resets_the_count() -> None:
    breaker = fail_times(fail_times(CLOSED, 4).succeeded(), 4)

    assert not breaker.is_open


def test_closed_it_lets_everything_through() -> None:
    assert fail_times(CLOSED, 4).seconds_until_try(100.0) == 0


def test_open_it_lets_nothing_through_until_a_probe_is_due() -> None:
    breaker = fail_times(CLOSED, 5, now=100.0)

    assert [breaker.seconds_until_try(now) for now in (100.0, 100.75, 101.0, 200.0)] == [
        1.0,
        0.25,
        0.0,
        0.0,
    ]


def test_each_failed_probe_doubles_the_wait_up_to_a_minute() -> None:
    breaker, waits, now = fail_times(CLOSED, 5, now=0.0), [], 0.0
    for _ in range(9):
        waits.append(breaker.seconds_until_try(now))
        now += waits[-1]
        breaker = breaker.probed(now, chance=1.0).failed(now, chance=1.0)

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_the_wait_counts_from_the_failure_of_a_probe_that_took_long() -> None:
    probing = fail_times(CLOSED, 5, now=0.0).probed(1.0, chance=1.0)

    assert probing.failed(31.0, chance=1.0).seconds_until_try(31.0) == 2


def test_a_late_failure_does_not_lengthen_the_wait() -> None:
    breaker = fail_times(fail_times(CLOSED, 5, now=0.0), 20, now=0.5)

    assert breaker.seconds_until_try(0.5) == 1
    assert breaker.probes == 0


def test_a_probe_that_is_answered_makes_the_waits_short_again() -> None:
    breaker, now = fail_times(CLOSED, 5, now=0.0), 0.0
    for _ in range(9):
        now += breaker.seconds_until_try(now)
        breaker = breaker.probed(now, chance=1.0).failed(now, chance=1.0)

    breaker = breaker.probed(now, chance=1.0).answered(now, chance=1.0)
    assert (breaker.is_open, breaker.probes, breaker.seconds_until_try(now)) == (True, 10, 2.0)
    assert breaker.answered(now, chance=0.0).seconds_until_try(now) == 1.0
    again = breaker.probed(now, chance=1.0).failed(now, chance=1.0)
    assert again.seconds_until_try(now) == 2.0


@pytest.mark.parametrize(
    "breaker", [fail_times(CLOSED, 5), fail_times(CLOSED, 5).probed(101, chance=1)]
)
def test_any_answer_closes_it_and_resets_its_counts(breaker: Breaker) -> None:
    assert breaker.succeeded() == CLOSED


@given(probes=st.integers(0, 10_000), chance=st.floats(0, 1))
def test_a_wait_is_between_half_and_the_whole_of_its_step(probes: int, chance: float) -> None:
    step = min(2.0**probes if probes < 10 else 60.0, 60.0)

    assert step / 2 <= POLICY.wait_seconds(probes, chance) <= step


def test_the_policy_sets_threshold_and_waits() -> None:
    policy = BreakerPolicy(
        failure_threshold=1, initial_wait=timedelta(seconds=3), max_wait=timedelta(seconds=4)
    )

    breaker = Breaker(policy=policy).failed(0.0, chance=1.0)

    assert breaker.seconds_until_try(0.0) == 3
    assert breaker.probed(3.0, chance=1.0).seconds_until_try(3.0) == 4


@pytest.mark.parametrize(
    "transmission",
    [
        an_answer(Stage.CONNECT, "421 4.3.2 not now"),
        an_answer(Stage.AUTH, "535 5.7.8 wrong password"),
        an_answer(Stage.MAIL, "550 5.7.1 not from you"),
        an_answer(Stage.BODY, "421 4.3.2 going down"),
        an_answer(Stage.RCPT, "553 5.7.1 sender is not yours"),
        an_answer(Stage.BODY, "550 5.7.60 cannot send as this sender"),
        replace(an_answer(Stage.RCPT, "550 5.1.1 no such user"), is_doubted=True),
        Broken(Stage.CONNECT, "refused"),
        Broken(Stage.BODY, "the connection broke"),
    ],
    ids=str,
)
def test_a_failure_between_us_and_the_relay_counts_against_the_relay(
    transmission: Transmission,
) -> None:
    assert is_relay_failure(transmission)


@pytest.mark.parametrize(
    "transmission",
    [
        an_answer(Stage.BODY, "250 2.0.0 kept"),
        an_answer(Stage.RCPT, "450 4.2.0 greylisted"),
        an_answer(Stage.RCPT, "550 5.1.1 no such user"),
        an_answer(Stage.BODY, "554 5.6.0 not like this"),
        an_answer(Stage.RCPT, "550 5.7.1 policy"),
        Withheld("the claim is lost"),
    ],
    ids=str,
)
def test_a_refusal_of_a_mail_does_not_count_against_the_relay(transmission: Transmission) -> None:
    assert not is_relay_failure(transmission)


@pytest.mark.parametrize(
    ("transmission", "expected"),
    [
        (an_answer(Stage.AUTH, "535 5.7.8 wrong password"), True),
        (an_answer(Stage.MAIL, "421 4.7.0 slow down"), True),
        (an_answer(Stage.MAIL, "552 5.3.4 too large"), False),
        (an_answer(Stage.RCPT, "553 5.7.1 sender is not yours"), True),
        (an_answer(Stage.RCPT, "550 5.1.1 no such user"), False),
        (replace(an_answer(Stage.RCPT, "550 5.1.1 no such user"), is_doubted=True), True),
        (replace(an_answer(Stage.BODY, "554 5.7.1 spam"), is_doubted=True), False),
        (an_answer(Stage.DATA, "421 4.3.2 going down"), False),
        (Broken(Stage.CONNECT, "refused"), True),
        (Broken(Stage.DATA, "the connection broke"), False),
        (Withheld("too little of the lease is left"), False),
        (Withheld("another mail first", wait=timedelta(seconds=5)), True),
    ],
    ids=str,
)
def test_only_before_data_another_relay_may_try_at_once(
    transmission: Transmission, *, expected: bool
) -> None:
    assert is_failure_before_body(transmission) is expected


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 4.0), (1.0, 8.0)])
def test_a_silence_opens_it_at_once_for_longer_than_a_refusal(chance: float, wait: float) -> None:
    opened = Breaker(policy=BreakerPolicy()).opened(100.0, chance=chance)

    assert opened.is_open
    assert opened.seconds_until_try(100.0) == wait
    assert not opened.succeeded().is_open


def test_a_silent_probe_does_not_shorten_the_next_wait() -> None:
    breaker = Breaker(policy=BreakerPolicy()).opened(100.0, chance=1.0)
    for _ in range(5):
        breaker = breaker.probed(110.0, chance=1.0)

    assert breaker.opened(150.0, chance=1.0).seconds_until_try(150.0) == 32.0


@pytest.mark.parametrize(
    ("transmission", "expected"),
    [
        (an_answer(Stage.RCPT, "553 5.7.1 sender is not yours"), True),
        (an_answer(Stage.BODY, "550 5.4.5 daily limit"), True),
        (an_answer(Stage.MAIL, "553 5.7.1 sender is not yours"), False),
        (an_answer(Stage.RCPT, "421 4.7.0 slow down"), False),
        (an_answer(Stage.RCPT, "530 5.7.0 log in"), False),
        (an_answer(Stage.RCPT, "503 5.5.1 what"), False),
        (Broken(Stage.RCPT, "the connection broke"), False),
    ],
    ids=str,
)
def test_failures_that_one_mail_may_cause_are_distinguished_from_those_of_a_session(
    transmission: Answered | Broken, *, expected: bool
) -> None:
    assert may_be_caused_by_mail(transmission) is expected


def test_a_held_relay_waits_no_longer_than_after_failures() -> None:
    held = CLOSED.opened(100.0, chance=1.0, failed_probes=0)

    assert held.seconds_until_try(100.0) == 1.0
    assert [held.overdue_seconds(now) for now in (100.0, 101.0, 107.0)] == [0, 0, 6]
    assert CLOSED.overdue_seconds(100.0) == 0
