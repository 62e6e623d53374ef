"""An open database for lone handlers; or a served application, its relay, and a channel to it."""

from collections.abc import AsyncIterator

import pytest

from tests.support.app import Running, a_setting, running
from tests.support.relay.server import Relay
from tests.support.service import Stub, scheduler


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with Relay() as relay:
        yield relay


@pytest.fixture
async def app(mongo_uri: str, redis_url: str, relay: Relay) -> AsyncIterator[Running]:
    settings = a_setting(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
    async with running(settings) as app:
        yield app


@pytest.fixture
async def stub(app: Running) -> AsyncIterator[Stub]:
    async with scheduler(app.target) as stub:
        yield stub
