"""Limits of jobs on the test's own store."""

from datetime import timedelta

import pytest
from pymongo.database import Database

from gcsched.adapters.mongo import usage
from gcsched.adapters.mongo.connection import Mongo
from tests.support.builders import FixedClock
from tests.support.quota_process import Process, Used, make_process
from tests.support.rows import Row


@pytest.fixture(autouse=True)
def _keep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the counts: the real MongoDB of a test deletes what was due before this year."""
    monkeypatch.setattr(usage, "RETENTION", timedelta(days=50_000))


@pytest.fixture
def process(mongo: Mongo, clock: FixedClock) -> Process:
    return make_process(mongo, clock)


@pytest.fixture
def used(raw: Database[Row]) -> Used:
    return lambda: {row["_id"]: row["jobs"] for row in raw["usage"].find()}
