"""A monotonic clock that a test moves."""

import pytest

from tests.support.clocks import FakeMonotonicClock


@pytest.fixture
def clock() -> FakeMonotonicClock:
    return FakeMonotonicClock()
