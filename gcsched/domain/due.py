"""The due time of a job: in whole seconds, now if that is past, or with a daily run. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MAX_AHEAD = timedelta(days=3653)
KEEP_TRYING = timedelta(hours=24)
MILLISECOND_RANGE = range(253_402_300_800, 10**14)
"""Milliseconds of the years 1978 to 5138; as seconds they lie beyond the year 9999."""


def round_up_to_second(moment: datetime) -> datetime:
    """Round up to the next whole second: never early, at most a second late."""
    floor = moment.replace(microsecond=0)
    return floor if floor == moment else floor + timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyPlan:
    """The time of the daily run: wall time in an IANA zone.

    A wall time that a clock change skips gets the offset before the change; one that occurs twice
    means its first occurrence (PEP 495, fold=0).
    """

    at: time
    zone: ZoneInfo

    def run_time(self, day: date) -> datetime:
        """Return the time of *day*'s run, in UTC."""
        return datetime.combine(day, self.at, tzinfo=self.zone).astimezone(UTC)

    def next_run_day(self, now: datetime) -> date:
        """Return the day of the first run after *now*."""
        today = now.astimezone(self.zone).date()
        # A clock change near midnight can move a run into the next day (Nuuk, 23:30).
        days = (today + timedelta(days=ahead) for ahead in range(-1, 3))
        return next(day for day in days if now < self.run_time(day))

    def last_run_day(self, now: datetime) -> date:
        """Return the day of the latest run whose time has come."""
        return self.next_run_day(now) - timedelta(days=1)
