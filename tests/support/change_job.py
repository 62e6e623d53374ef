"""What the tests of changes of one job share; their fixtures are in the conftest of management."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import time, timedelta
from zoneinfo import ZoneInfo

from gcsched.adapters.mongo.codec import decode
from gcsched.domain import commands
from gcsched.domain.checks import require_valid
from gcsched.domain.commands import JobCommand
from gcsched.domain.due import DailyPlan
from gcsched.domain.job import Job
from tests.support.builders import (
    NOW,
)
from tests.support.clocks import DAY
from tests.support.rows import Rows

LATER = NOW + timedelta(minutes=1)
SOON = timedelta(seconds=5)
PLAN = DailyPlan(at=time(10), zone=ZoneInfo("UTC"))


@dataclass
class RecordingQueue:
    """Records the seconds that were enqueued."""

    enqueued: list[int] = field(default_factory=list)

    async def enqueue(self, second: int) -> None:
        self.enqueued.append(second)

    async def find_missing(self, seconds: Collection[int]) -> Collection[int]:
        return seconds


def a_reschedule(timestamp: int) -> JobCommand:
    return require_valid(
        commands.parse_reschedule(timestamp, plan=PLAN, keep_trying=DAY, now=LATER)
    )


def the_job(jobs: Rows) -> Job:
    [row] = jobs.find()
    return decode(row)
