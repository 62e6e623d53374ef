"""Replicas on the test's own stores."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from gcsched.adapters.mongo.connection import open_mongo
from tests.support.sweeps import Replicas


@pytest.fixture
async def replicas(mongo_uri: str, redis_url: str) -> AsyncIterator[Replicas]:
    async with open_mongo(mongo_uri) as mongo:
        await mongo.prepare()
    async with AsyncExitStack() as stack:
        yield Replicas(mongo_uri=mongo_uri, redis_url=redis_url, stack=stack)
