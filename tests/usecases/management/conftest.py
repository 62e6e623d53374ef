"""A bulk change on the test's own store."""

from datetime import timedelta

import pytest

from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.adapters.mongo.job_reader import MongoJobList
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.usecases.management.bulk_change import ApplyBulkChange
from gcsched.usecases.wakeups import WakeUps
from tests.support.builders import FixedClock
from tests.support.bulk_changes import LATER
from tests.support.wakeups import NoWakeUpQueue


@pytest.fixture
def nudges() -> list[str]:
    return []


@pytest.fixture
def bulk_change(mongo: Mongo, nudges: list[str]) -> ApplyBulkChange:
    clock = FixedClock(LATER)
    return ApplyBulkChange(
        job_list=MongoJobList(mongo=mongo),
        majority_list=MongoJobList(mongo=mongo, is_majority_read=True),
        store=MongoJobChanges(mongo=mongo, retention=timedelta(days=36500)),
        suppressions=MongoSuppressions(mongo=mongo),
        wake_ups=WakeUps(queue=NoWakeUpQueue(), nudge=lambda: nudges.append("now"), now=clock),
        now=clock,
    )
