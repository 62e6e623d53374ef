"""A served application, its relay, and the contract as protoc reads it."""

from collections.abc import AsyncIterator

import pytest

from tests.support.app import Running, a_setting, running
from tests.support.relay.server import Relay


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with Relay() as relay:
        yield relay


@pytest.fixture
async def app(mongo_uri: str, redis_url: str, relay: Relay) -> AsyncIterator[Running]:
    settings = a_setting(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
    async with running(settings) as app:
        yield app
