"""A bell, and what workers heard of it."""

from collections.abc import AsyncIterator

import pytest

from gcsched.adapters.redis.arq import ArqBell
from tests.support.arq_pools import Heard, bell_at


@pytest.fixture
async def bell(redis_url: str) -> AsyncIterator[ArqBell]:
    async with bell_at(redis_url) as bell:
        yield bell


@pytest.fixture
def heard() -> Heard:
    return Heard()
