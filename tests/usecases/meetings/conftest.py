"""Meetings on the test's own store."""

from collections.abc import AsyncIterator

import pytest
from pymongo.database import Database

from gcsched.adapters.mongo.connection import Mongo, open_mongo
from tests.support.meeting_worlds import MeetingWorld
from tests.support.rows import Row


@pytest.fixture
def world(mongo: Mongo, raw: Database[Row]) -> MeetingWorld:
    assert raw.name == mongo.database.name
    return MeetingWorld(mongo=mongo, raw=raw)


@pytest.fixture
async def another_world(world: MeetingWorld, mongo_uri: str) -> AsyncIterator[MeetingWorld]:
    """A second process on the same store, with the same clock."""
    async with open_mongo(mongo_uri) as mongo:
        yield MeetingWorld(mongo=mongo, raw=world.raw, clock=world.clock)
