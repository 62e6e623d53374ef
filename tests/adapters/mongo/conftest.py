"""An open, prepared database; and its jobs as the driver sees them, behind the adapters' back."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database

from gcsched.adapters.mongo.connection import Mongo, open_mongo


@pytest.fixture
async def another_mongo(mongo: Mongo, mongo_uri: str) -> AsyncIterator[Mongo]:
    """The same database as another replica sees it."""
    assert mongo.database.name == urlsplit(mongo_uri).path[1:]
    async with open_mongo(mongo_uri) as another:
        yield another


@pytest.fixture(scope="session")
def driver(mongo_server: str) -> Iterator[MongoClient[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](mongo_server, tz_aware=True) as client:
        yield client


@pytest.fixture
def raw(driver: MongoClient[dict[str, Any]], mongo: Mongo) -> Database[dict[str, Any]]:
    return driver[mongo.database.name]


@pytest.fixture
def jobs(raw: Database[dict[str, Any]]) -> Collection[dict[str, Any]]:
    return raw["jobs"]
