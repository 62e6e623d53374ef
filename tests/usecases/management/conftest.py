"""A bulk change on the test's own store."""

from datetime import timedelta

import pytest

from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_changes import MongoSteering
from gcsched.adapters.mongo.job_reader import MongoJobList
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.usecases.management.change_jobs import ChangeJobs
from gcsched.usecases.wakeups import Ringer
from tests.support.builders import FixedClock
from tests.support.bulk_changes import LATER
from tests.support.wakeups import SilentBell


@pytest.fixture
def nudges() -> list[str]:
    return []


@pytest.fixture
def change(mongo: Mongo, nudges: list[str]) -> ChangeJobs:
    clock = FixedClock(LATER)
    return ChangeJobs(
        list=MongoJobList(mongo=mongo),
        certain=MongoJobList(mongo=mongo, is_certain=True),
        store=MongoSteering(mongo=mongo, retention=timedelta(days=36500)),
        suppressions=MongoSuppressions(mongo=mongo),
        ringer=Ringer(bell=SilentBell(), nudge=lambda: nudges.append("now"), now=clock),
        now=clock,
    )
