"""An open, prepared database for handlers that are served without the rest of the service."""

from collections.abc import AsyncIterator

import pytest

from gcsched.adapters.mongo.connection import Mongo, open_mongo


@pytest.fixture
async def mongo(mongo_uri: str) -> AsyncIterator[Mongo]:
    async with open_mongo(mongo_uri) as mongo:
        await mongo.prepare()
        yield mongo
