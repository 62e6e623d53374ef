"""A store in memory, for outcomes and engines."""

import pytest

from gcsched.usecases.delivery.outcomes import Recorder
from gcsched.usecases.ports import Conclusion
from tests.support.engines import ToyStore
from tests.support.outcomes import ToyOutcomes


@pytest.fixture
def store() -> ToyStore:
    return ToyStore()


@pytest.fixture
async def outcomes() -> ToyOutcomes:
    return ToyOutcomes()


@pytest.fixture
def settled() -> list[Conclusion]:
    return []


@pytest.fixture
def recorder(outcomes: ToyOutcomes, settled: list[Conclusion]) -> Recorder:
    return Recorder(outcomes, on_recorded=settled.append)
