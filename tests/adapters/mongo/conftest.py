"""The prepared database of a test, and adapters on it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from pymongo.database import Database

from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.recovery import MongoRecovery
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from tests.support.builders import FixedClock
from tests.support.corrupt_jobs import RETENTION
from tests.support.rows import Row


@pytest.fixture
async def another_mongo(mongo: Mongo, mongo_uri: str) -> AsyncIterator[Mongo]:
    """A second connection to the same database, as another replica has it."""
    assert mongo.database.name == urlsplit(mongo_uri).path[1:]
    async with open_mongo(mongo_uri) as another:
        yield another


@pytest.fixture
def raw(raw: Database[Row], mongo: Mongo) -> Database[Row]:
    """The database with its collections and indexes, as the driver sees it."""
    assert raw.name == mongo.database.name
    return raw


@pytest.fixture
def recovery(mongo: Mongo) -> MongoRecovery:
    return MongoRecovery(mongo=mongo, retention=RETENTION, now=FixedClock(datetime.now(UTC)))


@pytest.fixture
def suppressions(mongo: Mongo) -> MongoSuppressions:
    return MongoSuppressions(mongo=mongo)
