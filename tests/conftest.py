"""The session's servers, and a database of its own on each of them for every test."""

import itertools
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog
from pymongo import MongoClient

from tests.stores import (
    flush,
    how_many_databases,
    session_mongod,
    session_valkey,
    with_database,
    with_number,
)


@pytest.fixture(autouse=True)
def logs_as_at_first() -> Iterator[None]:
    """Forget how a test had the logs written: its stream is closed when it ends."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def mongo_server() -> Iterator[str]:
    with session_mongod() as uri:
        yield uri


@pytest.fixture(scope="session")
def drop_later(mongo_server: str) -> Iterator[Callable[[str], object]]:
    """Drop a database behind the test's back: mongod takes 100 ms for it, wait only at the end."""
    with MongoClient[dict[str, object]](mongo_server) as client, ThreadPoolExecutor(1) as behind:
        yield lambda name: behind.submit(client.drop_database, name)


@pytest.fixture
def mongo_uri(mongo_server: str, drop_later: Callable[[str], object]) -> Iterator[str]:
    """A MongoDB database of the test's own."""
    name = f"gcsched_test_{secrets.token_hex(4)}"
    yield with_database(mongo_server, name)
    drop_later(name)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    with session_valkey() as url:
        yield url


@pytest.fixture(scope="session")
def redis_numbers(redis_server: str) -> Iterator[int]:
    """Count through the databases, round and round; 0 may be somebody's."""
    return itertools.cycle(range(1, how_many_databases(redis_server)))


@pytest.fixture
def redis_url(redis_server: str, redis_numbers: Iterator[int]) -> str:
    """An empty Redis database of the test's own."""
    url = with_number(redis_server, next(redis_numbers))
    flush(url)
    return url


@pytest.fixture(params=["resend", "hold"])
def on_uncertain(request: pytest.FixtureRequest) -> str:
    """Give each policy for lost replies: every fault is tried under both."""
    return str(request.param)
