"""The servers of the session, and a database on each of them for every test."""

import gc
import itertools
import logging
import os
import signal
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import closing

import pytest
import structlog

from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.index_repair import MongoIndexes
from gcsched.process.zone_data import use_packaged_zones
from tests.support import launch as launching
from tests.support import service_process
from tests.support.collection_order import longest_first
from tests.support.prepared import bind_models
from tests.support.stores import (
    Databases,
    count_databases,
    flush,
    session_mongod,
    session_valkey,
    with_number,
)
from tests.support.wait import until

pytest_plugins = ["tests.support.fixtures"]


def pytest_configure() -> None:
    """Make this process like the program: its handler of SIGINT, and its time zones."""
    use_packaged_zones()
    # Background jobs of a shell and their children ignore it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep the garbage collector from scanning the collected tests, now and in later runs of it."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(trylast=True)  # after other plugins have shuffled the items
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = longest_first(items, workers=int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test with the start of services that it asks for; then restore the logging.

    Services are forked instead of executed, which saves their imports. Tests marked *executed*
    start them as operators do. The stream that a test configures for the log is closed when it
    ends. A fixture would cost more time for each test than most of them need.
    """
    is_executed = item.get_closest_marker("executed") is not None
    service_process.start_service = (
        launching.execute_service if is_executed else launching.fork_service
    )
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        return (yield)
    finally:
        structlog.reset_defaults()
        root.handlers[:] = handlers
        if root.level != level:  # to set it costs more than all of this
            root.setLevel(level)


@pytest.fixture(scope="session")
def mongo_server() -> Iterator[str]:
    with session_mongod() as uri:
        yield uri


@pytest.fixture(scope="session")
def databases(mongo_server: str) -> Iterator[Databases]:
    with closing(Databases(mongo_server)) as databases:
        yield databases


@pytest.fixture
def mongo_uri(databases: Databases) -> Iterator[str]:
    """An empty MongoDB database of the test's own; it may have our indexes."""
    with databases.lend() as uri:
        yield uri


@pytest.fixture
def new_mongo_uri(databases: Databases) -> Iterator[str]:
    """A new MongoDB database, for tests of collections and indexes."""
    with databases.create() as uri:
        yield uri


@pytest.fixture(scope="session")
def prepared_databases() -> set[str]:
    """Names of databases with indexes: a test that removes one brings it back."""
    return set()


@pytest.fixture
async def mongo(mongo_uri: str, prepared_databases: set[str]) -> AsyncIterator[Mongo]:
    """The test's database, open, with collections and indexes."""
    async with open_mongo(mongo_uri) as mongo:
        if mongo.database.name in prepared_databases:
            await bind_models(mongo.database)
        else:
            await until(lambda: prepare_whole(mongo), within=60)
            prepared_databases.add(mongo.database.name)
        yield mongo


async def prepare_whole(mongo: Mongo) -> bool:
    """Prepare the database; return whether it has all indexes: a busy server may lack some."""
    await mongo.prepare()
    return not await MongoIndexes(mongo=mongo).check()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    with session_valkey() as url:
        yield url


@pytest.fixture(scope="session")
def redis_numbers(redis_server: str) -> Iterator[int]:
    """Cycle through the database numbers, except 0, which others may use."""
    return itertools.cycle(range(1, count_databases(redis_server)))


@pytest.fixture
def redis_url(redis_server: str, redis_numbers: Iterator[int]) -> str:
    """An empty Redis database of the test's own."""
    url = with_number(redis_server, next(redis_numbers))
    flush(url)
    return url


@pytest.fixture(params=["resend", "hold"])
def on_uncertain(request: pytest.FixtureRequest) -> str:
    """Return each policy for lost replies, so that every fault is tested under both."""
    return str(request.param)
