"""A fake for each test, and a client of it."""

from collections.abc import Iterator

import pytest

from gcsched.client import Client
from gcsched.testing import FakeScheduler


@pytest.fixture
def fake() -> Iterator[FakeScheduler]:
    with FakeScheduler(templates={"offer": ["link"]}) as fake:
        yield fake


@pytest.fixture
def client(fake: FakeScheduler) -> Iterator[Client]:
    with Client(fake.target) as client:
        yield client
