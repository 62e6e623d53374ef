"""What relays made of mails, kept for an hour and in a bounded number of refusals."""

from gcsched.domain.job import Job, State
from gcsched.domain.smtp_reply import Kind
from gcsched.usecases.monitoring.attempt_record import AttemptRecord
from tests.support.builders import a_job, an_attempt
from tests.support.clocks import FakeMonotonicClock

RELAY = "smtp.example.org:25"


def a_refused_job(text: str, *, relay: str = RELAY) -> Job:
    attempt = an_attempt(relay=relay, kind=Kind.POLICY, code=550, text=text)
    return a_job(state=State.FAILED, attempts=(attempt,), state_time=attempt.end_time)


def test_attempts_are_counted_by_relay_and_kind() -> None:
    record = AttemptRecord(clock=FakeMonotonicClock(0))
    record.record([a_refused_job("no"), a_refused_job("no"), a_refused_job("", relay="other")])

    assert record.count_attempts(RELAY) == {Kind.POLICY: 2}
    assert record.count_attempts("unknown") == {}


def test_refusals_that_differ_only_in_ids_are_one_and_the_latest_comes_first() -> None:
    record = AttemptRecord(clock=FakeMonotonicClock(0))
    record.record([a_refused_job(f"no mail today, id 4A{n}F") for n in range(3)])
    record.record([a_refused_job("blocked by a list")])
    record.record([a_refused_job("no mail today, id 99")])

    first, second = record.list_refusals(RELAY)
    assert (first.text, first.count) == ("no mail today, id 99", 4)
    assert (second.text, second.count) == ("blocked by a list", 1)


def test_at_most_twenty_different_refusals_are_kept() -> None:
    clock = FakeMonotonicClock(0)
    record = AttemptRecord(clock=clock)
    for number in range(30):
        clock.now = number
        record.record([a_refused_job("x" * (number + 1))])

    kept = record.list_refusals(RELAY)
    assert [len(each.text) for each in kept] == list(range(30, 10, -1))


def test_the_words_of_a_relay_are_masked_and_only_some_a_second_are_read() -> None:
    clock = FakeMonotonicClock(0)
    record = AttemptRecord(clock=clock)
    job = a_refused_job("no such user: ada@example.org")
    record.record([job] * 25)

    [refusal] = record.list_refusals(RELAY)
    assert "ada@example.org" not in refusal.text
    assert refusal.count == 10
    assert record.count_attempts(RELAY) == {Kind.POLICY: 25}
    clock.now = 1
    record.record([job])
    assert record.list_refusals(RELAY)[0].count == 11
