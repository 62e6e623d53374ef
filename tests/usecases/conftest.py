"""Wake-ups with a fake queue, and nudges that a test can read."""

import pytest

from gcsched.usecases.wakeups import WakeUps
from tests.support.builders import FixedClock
from tests.support.wakeups import FakeWakeUpQueue, Nudges


@pytest.fixture
async def queue() -> FakeWakeUpQueue:
    return FakeWakeUpQueue()


@pytest.fixture
def nudges() -> Nudges:
    return Nudges()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def wake_ups(queue: FakeWakeUpQueue, nudges: Nudges, clock: FixedClock) -> WakeUps:
    return WakeUps(queue=queue, nudge=nudges, now=clock)
