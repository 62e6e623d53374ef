"""From a refusal to the next job for that address: written with the outcome, looked up by batch."""

from datetime import timedelta

import pytest

from gcsched.domain.smtp_reply import Kind
from gcsched.domain.suppression import suppression_from
from gcsched.usecases.delivery.outcomes import Recorder
from gcsched.usecases.delivery.suppress import SuppressingOutcomes
from tests.support.background import in_background
from tests.support.builders import (
    a_claimed_job,
    a_conclusion,
    an_attempt,
)
from tests.support.engines import ToyStore
from tests.support.wait import until

MONTH = timedelta(days=30)


REFUSED = a_claimed_job().failed(an_attempt(kind=Kind.RECIPIENT), reason="550 at RCPT: unknown")


@pytest.fixture
def outcomes(store: ToyStore) -> SuppressingOutcomes:
    return SuppressingOutcomes(outcomes=store, suppressions=store, lasting=MONTH)


async def test_a_refused_recipient_is_blocked_with_the_outcome(
    outcomes: SuppressingOutcomes, store: ToyStore
) -> None:
    await outcomes.conclude([a_conclusion(), a_conclusion(REFUSED)])

    assert store.told == ["add", "conclude"]
    assert list(store.kept.values()) == [suppression_from(REFUSED, lasting=MONTH)]
    assert store.concluded == {"job-1": REFUSED}


async def test_where_nobody_was_refused_only_the_outcomes_are_written(
    outcomes: SuppressingOutcomes, store: ToyStore
) -> None:
    spam = a_claimed_job().failed(an_attempt(kind=Kind.POLICY), reason="554 5.7.1 at BODY: spam")

    await outcomes.conclude([a_conclusion(), a_conclusion(spam)])

    assert store.told == ["conclude"]


@pytest.mark.parametrize("away", ["add", "conclude"])
async def test_a_store_that_is_away_for_a_moment_loses_neither(
    outcomes: SuppressingOutcomes, store: ToyStore, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    monkeypatch.setattr("gcsched.usecases.delivery.outcomes.BETWEEN_TRIES_SECONDS", 0.001)
    store.hiccups[away] = 3
    settled: list[object] = []
    recorder = Recorder(outcomes, on_recorded=settled.append)

    async with in_background(recorder.run):
        recorder.record(a_conclusion(REFUSED))
        await until(lambda: settled)

    assert set(store.kept) == {"ada@example.org"}
    assert store.concluded == {"job-1": REFUSED}
