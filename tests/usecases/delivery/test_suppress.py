"""Suppressions: stored with the outcome of a refusal, and read with each batch."""

from datetime import timedelta

import pytest

from gcsched.domain.smtp_reply import Kind
from gcsched.domain.suppression import suppression_from
from gcsched.usecases.delivery.outcomes import OutcomeRecorder, SuppressingOutcomes
from tests.support.background import in_background
from tests.support.builders import (
    a_claimed_job,
    a_conclusion,
    an_attempt,
)
from tests.support.engines import FakeStore
from tests.support.wait import until

MONTH = timedelta(days=30)


REFUSED = a_claimed_job().failed(an_attempt(kind=Kind.RECIPIENT), reason="550 at RCPT: unknown")


@pytest.fixture
def outcomes(store: FakeStore) -> SuppressingOutcomes:
    return SuppressingOutcomes(outcomes=store, suppressions=store, duration=MONTH)


async def test_a_refused_recipient_is_suppressed_with_the_outcome(
    outcomes: SuppressingOutcomes, store: FakeStore
) -> None:
    await outcomes.conclude([a_conclusion(), a_conclusion(REFUSED)])

    assert store.calls == ["add", "conclude"]
    assert list(store.suppressions.values()) == [suppression_from(REFUSED, duration=MONTH)]
    assert store.concluded == {"job-1": REFUSED}


async def test_without_a_refusal_only_the_outcomes_are_written(
    outcomes: SuppressingOutcomes, store: FakeStore
) -> None:
    spam = a_claimed_job().failed(an_attempt(kind=Kind.POLICY), reason="554 5.7.1 at BODY: spam")

    await outcomes.conclude([a_conclusion(), a_conclusion(spam)])

    assert store.calls == ["conclude"]


@pytest.mark.parametrize("away", ["add", "conclude"])
async def test_a_store_that_is_away_briefly_loses_neither(
    outcomes: SuppressingOutcomes, store: FakeStore, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    monkeypatch.setattr("gcsched.usecases.delivery.outcomes.RETRY_INTERVAL_SECONDS", 0.001)
    store.failures[away] = 3
    conclusion_log: list[object] = []
    recorder = OutcomeRecorder(outcomes, on_recorded=conclusion_log.extend)

    async with in_background(recorder.run):
        recorder.record(a_conclusion(REFUSED))
        await until(lambda: conclusion_log)

    assert set(store.suppressions) == {"ada@example.org"}
    assert store.concluded == {"job-1": REFUSED}
