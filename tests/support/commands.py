"""Commands of callers on a job, applied as the use cases do."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from gcsched.domain import commands
from gcsched.domain.checks import require_valid
from gcsched.domain.commands import JobCommand
from gcsched.domain.due import DailyPlan
from gcsched.domain.job import Job
from gcsched.domain.suppression import Suppression
from tests.support.builders import NOW
from tests.support.clocks import DAY

PLAN = DailyPlan(at=time(10), zone=ZoneInfo("UTC"))
TOMORROW_AT_TEN = datetime(2026, 7, 2, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LATER = NOW + MINUTE


def a_reschedule(timestamp: int) -> JobCommand:
    return require_valid(commands.parse_reschedule(timestamp, plan=PLAN, keep_trying=DAY, now=NOW))


def apply_command(
    command: JobCommand, job: Job, *, now: datetime = LATER, suppression: Suppression | None = None
) -> Job:
    return commands.apply(command, job, suppression=suppression, now=now)
