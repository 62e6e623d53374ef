"""A monotonic clock that a test moves."""

import pytest

from tests.support.clocks import Seconds


@pytest.fixture
def clock() -> Seconds:
    return Seconds()
