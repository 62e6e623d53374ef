"""A queue of wake-ups, and a record of those that workers received."""

from collections.abc import AsyncIterator

import pytest

from gcsched.adapters.redis.arq import ArqWakeUpQueue
from tests.support.arq_pools import ReceivedWakeUps, wake_ups_at


@pytest.fixture
async def wake_ups(redis_url: str) -> AsyncIterator[ArqWakeUpQueue]:
    async with wake_ups_at(redis_url) as queue:
        yield queue


@pytest.fixture(name="received")
def make_received() -> ReceivedWakeUps:
    return ReceivedWakeUps()
