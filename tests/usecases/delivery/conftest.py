"""A store in memory, for outcomes and engines."""

import pytest

from gcsched.usecases.delivery.outcomes import OutcomeRecorder
from gcsched.usecases.ports import Conclusion
from tests.support.engines import FakeStore
from tests.support.outcomes import FakeOutcomes


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
async def outcomes() -> FakeOutcomes:
    return FakeOutcomes()


@pytest.fixture
def conclusion_log() -> list[Conclusion]:
    return []


@pytest.fixture
def recorder(outcomes: FakeOutcomes, conclusion_log: list[Conclusion]) -> OutcomeRecorder:
    return OutcomeRecorder(outcomes, on_recorded=conclusion_log.extend)
