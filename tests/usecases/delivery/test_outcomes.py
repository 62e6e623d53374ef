import asyncio
from dataclasses import replace

import pytest

from gcsched.usecases.delivery.outcomes import OutcomeRecorder
from gcsched.usecases.ports import Conclusion
from tests.support.background import in_background
from tests.support.builders import (
    a_claimed_job,
    a_conclusion,
    an_attempt,
)
from tests.support.log_events import Events
from tests.support.outcomes import LATER, FakeOutcomes, conclusions
from tests.support.wait import until


async def test_a_recorded_conclusion_is_written_and_reported(
    recorder: OutcomeRecorder, outcomes: FakeOutcomes, conclusion_log: list[Conclusion]
) -> None:
    async with in_background(recorder.run):
        recorder.record(a_conclusion())
        await until(lambda: conclusion_log)

    assert outcomes.groups == [[a_conclusion()]]
    assert conclusion_log == [a_conclusion()]


async def test_no_conclusion_is_reported_before_it_is_stored(
    recorder: OutcomeRecorder, outcomes: FakeOutcomes, conclusion_log: list[Conclusion]
) -> None:
    outcomes.gate.clear()

    async with in_background(recorder.run):
        recorder.record(a_conclusion())
        await until(lambda: outcomes.tries)
        recorded_meanwhile = list(conclusion_log)
        outcomes.gate.set()

    assert recorded_meanwhile == []
    assert conclusion_log == [a_conclusion()]


async def test_conclusions_that_arrive_during_a_write_share_the_next(
    recorder: OutcomeRecorder, outcomes: FakeOutcomes, conclusion_log: list[Conclusion]
) -> None:
    first, *others = conclusions(4)
    outcomes.gate.clear()

    async with in_background(recorder.run):
        recorder.record(first)
        await until(lambda: outcomes.tries)
        for conclusion in others:
            recorder.record(conclusion)
        outcomes.gate.set()
        await until(lambda: len(conclusion_log) == 4)

    assert outcomes.groups == [[first], others]


async def test_conclusions_that_arrive_while_it_is_busy_are_collected_for_a_moment(
    recorder: OutcomeRecorder, outcomes: FakeOutcomes, conclusion_log: list[Conclusion]
) -> None:
    first, second, *others = conclusions(6)
    outcomes.gate.clear()

    async with in_background(recorder.run):
        recorder.record(first)
        await until(lambda: outcomes.tries)
        recorder.record(second)
        outcomes.gate.set()
        await until(lambda: conclusion_log)
        for conclusion in others:
            recorder.record(conclusion)
        await until(lambda: len(conclusion_log) == 6)

    assert outcomes.groups == [[first], [second, *others]]


async def test_a_write_has_at_most_500(
    recorder: OutcomeRecorder, outcomes: FakeOutcomes, conclusion_log: list[Conclusion]
) -> None:
    many = conclusions(1201)

    async with in_background(recorder.run):
        for conclusion in many:
            recorder.record(conclusion)

    assert [len(group) for group in outcomes.groups] == [500, 500, 201]
    assert conclusion_log == many


async def test_a_write_is_retried_until_the_store_takes_it(
    recorder: OutcomeRecorder,
    outcomes: FakeOutcomes,
    conclusion_log: list[Conclusion],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gcsched.usecases.delivery.outcomes.RETRY_INTERVAL_SECONDS", 0.001)
    outcomes.is_away = True
    both = conclusions(2)

    async with in_background(recorder.run):
        recorder.record(both[0])
        await until(lambda: outcomes.tries >= 3)
        recorder.record(both[1])
        recorded_meanwhile = list(conclusion_log)
        outcomes.is_away = False
        await until(lambda: len(conclusion_log) == 2)

    assert recorded_meanwhile == []
    assert conclusion_log == both


async def test_a_stop_waits_until_everything_is_written(
    recorder: OutcomeRecorder,
    outcomes: FakeOutcomes,
    conclusion_log: list[Conclusion],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gcsched.usecases.delivery.outcomes.RETRY_INTERVAL_SECONDS", 0.001)
    outcomes.is_away = True
    both = conclusions(2)

    async with in_background(recorder.run) as stop:
        recorder.record(both[0])
        await until(lambda: outcomes.tries)
        stop.set()
        recorder.record(both[1])
        outcomes.is_away = False

    assert conclusion_log == both


async def test_waiting_conclusions_are_written_even_when_the_stop_came_first(
    recorder: OutcomeRecorder, conclusion_log: list[Conclusion]
) -> None:
    recorder.record(a_conclusion())
    stop = asyncio.Event()
    stop.set()

    await recorder.run(stop)

    assert conclusion_log == [a_conclusion()]


async def test_a_stop_with_nothing_waiting_writes_nothing(
    recorder: OutcomeRecorder, outcomes: FakeOutcomes
) -> None:
    async with in_background(recorder.run):
        pass

    assert outcomes.tries == 0


async def test_a_lost_claim_is_reported_and_logged(
    recorder: OutcomeRecorder,
    outcomes: FakeOutcomes,
    conclusion_log: list[Conclusion],
    events: Events,
) -> None:
    outcomes.lost = [replace(a_conclusion(), found_state="RETRYING")]

    async with in_background(recorder.run):
        recorder.record(a_conclusion())
        await until(lambda: conclusion_log)

    assert events == [
        {
            "event": "claim lost",
            "log_level": "warning",
            "job_id": "job-1",
            "state": "SENT",
            "found_state": "RETRYING",
        }
    ]


async def test_a_claim_withdrawn_before_an_attempt_is_logged_as_info(
    recorder: OutcomeRecorder,
    outcomes: FakeOutcomes,
    conclusion_log: list[Conclusion],
    events: Events,
) -> None:
    given_back = a_conclusion(a_claimed_job(attempts=(an_attempt(),)).unclaimed(LATER))
    outcomes.lost = [replace(given_back, found_state="CANCELLED")]

    async with in_background(recorder.run):
        recorder.record(given_back)
        await until(lambda: conclusion_log)

    assert events == [
        {
            "event": "claim lost",
            "log_level": "info",
            "job_id": "job-1",
            "state": "RETRYING",
            "found_state": "CANCELLED",
        }
    ]


async def test_of_two_claims_of_one_job_the_lost_one_is_logged(
    recorder: OutcomeRecorder,
    outcomes: FakeOutcomes,
    conclusion_log: list[Conclusion],
    events: Events,
) -> None:
    kept = a_conclusion(a_claimed_job().failed(an_attempt(), reason="no"), claim="claim-2")
    outcomes.lost = [a_conclusion()]

    async with in_background(recorder.run):
        recorder.record(a_conclusion())
        recorder.record(kept)
        await until(lambda: len(conclusion_log) == 2)

    assert [event["event"] for event in events] == ["claim lost", "job failed"]
