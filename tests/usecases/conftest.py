"""A ringer whose bell and nudges a test can look at."""

import pytest

from gcsched.usecases.wakeups import Ringer
from tests.support.builders import FixedClock
from tests.support.wakeups import Nudges, ToyBell


@pytest.fixture
async def bell() -> ToyBell:
    return ToyBell()


@pytest.fixture
def nudges() -> Nudges:
    return Nudges()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def ringer(bell: ToyBell, nudges: Nudges, clock: FixedClock) -> Ringer:
    return Ringer(bell=bell, nudge=nudges, now=clock)
