"""Fixtures for several folders: the application, its relay, its stores and its log."""

from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import pytest
import structlog
from pymongo import MongoClient
from pymongo.database import Database
from structlog.testing import capture_logs

from tests.support.in_process_app import RunningApp, make_settings, running_app
from tests.support.log_events import Events
from tests.support.relay.server import Relay
from tests.support.rows import Row, Rows
from tests.support.service_process import Stub, scheduler_stub


@pytest.fixture
def events() -> Iterator[Events]:
    """Yield the log events of the test."""
    structlog.reset_defaults()  # another test may have set a level
    with capture_logs() as caught:
        yield caught


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with Relay() as relay:
        yield relay


@pytest.fixture
def app_settings() -> dict[str, str]:
    """Return the settings of the application; override this fixture to change them."""
    return {}


@pytest.fixture
async def app(
    mongo_uri: str, redis_url: str, relay: Relay, app_settings: dict[str, str]
) -> AsyncIterator[RunningApp]:
    settings = make_settings(
        mongo=mongo_uri, redis=redis_url, relay_port=relay.port, **app_settings
    )
    async with running_app(settings) as app:
        yield app


@pytest.fixture
async def stub(app: RunningApp) -> AsyncIterator[Stub]:
    async with scheduler_stub(app.target) as stub:
        yield stub


@pytest.fixture(scope="session")
def driver(mongo_server: str) -> Iterator[MongoClient[Row]]:
    with MongoClient[Row](mongo_server, tz_aware=True) as client:
        yield client


@pytest.fixture
def raw(driver: MongoClient[Row], mongo_uri: str) -> Database[Row]:
    """Return the test's database as the driver sees it, without the adapters."""
    return driver[urlsplit(mongo_uri).path[1:]]


@pytest.fixture
def jobs(raw: Database[Row]) -> Rows:
    return raw["jobs"]
