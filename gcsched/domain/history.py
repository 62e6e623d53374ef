"""The history of the service: what happened in each minute, ten minutes, and hour. Pure.

Processes add their shares to the same figures, so the buckets of lateness are fixed for ever: each
ends 10.25 % above the one before, beginning with one millisecond.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

SMALLEST_BUCKET = timedelta(milliseconds=1)
BUCKET_RATIO = 1.05**2
MAX_BUCKET = 260
"""A lateness of some years."""
MINUTE = timedelta(minutes=1)


class HistoryStep(Enum):
    """How much time one figure of the history covers; the values are stored in ids."""

    MINUTE = "minute"
    TEN_MINUTES = "ten_minutes"
    HOUR = "hour"

    @property
    def length(self) -> timedelta:
        return LENGTHS[self]

    @property
    def retention(self) -> timedelta:
        """Return how long figures of this step are kept."""
        return RETENTIONS[self]

    def find_start(self, moment: datetime) -> datetime:
        """Return when the interval began that *moment* is in; intervals begin at full hours UTC."""
        seconds = int(moment.timestamp())
        return datetime.fromtimestamp(
            seconds - seconds % int(self.length.total_seconds()), moment.tzinfo
        )


LENGTHS: Mapping[HistoryStep, timedelta] = {
    HistoryStep.MINUTE: MINUTE,
    HistoryStep.TEN_MINUTES: timedelta(minutes=10),
    HistoryStep.HOUR: timedelta(hours=1),
}
RETENTIONS: Mapping[HistoryStep, timedelta] = {
    HistoryStep.MINUTE: timedelta(days=2),
    HistoryStep.TEN_MINUTES: timedelta(days=9),
    HistoryStep.HOUR: timedelta(days=90),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFigures:
    """What happened from *start* on, as far as it is known.

    *attempts* are by the values of `Kind`, *admissions* by the labels of the metric, and *lateness*
    counts the accepted mails by bucket. *oldest_due* is how late the oldest due job was at most;
    None: jobs were not counted.
    """

    start: datetime
    attempts: Mapping[str, int] = field(default_factory=dict)
    admissions: Mapping[str, int] = field(default_factory=dict)
    lateness: Mapping[int, int] = field(default_factory=dict)
    oldest_due: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryShare:
    """What one process adds: its figures of a minute. Its *number* is higher than any before."""

    process: str
    number: int
    figures: HistoryFigures


def find_history_bucket(late: timedelta) -> int:
    """Return the bucket of *late*: the first whose end it does not exceed."""
    steps = math.log(max(late, SMALLEST_BUCKET) / SMALLEST_BUCKET, BUCKET_RATIO)
    return min(math.ceil(round(steps, 9)), MAX_BUCKET)


def find_quantiles(lateness: Mapping[int, int], parts: Sequence[float]) -> list[timedelta] | None:
    """Return for each of *parts*, in rising order, the lateness that so many mails do not exceed.

    It is the end of a bucket; None without a mail.
    """
    total = sum(lateness.values())
    if not total:
        return None
    found: list[timedelta] = []
    seen, ranks = 0, [math.ceil(total * part) for part in parts]
    for bucket in sorted(lateness):
        seen += lateness[bucket]
        while len(found) < len(ranks) and ranks[len(found)] <= seen:
            found.append(SMALLEST_BUCKET * BUCKET_RATIO**bucket)
    return found
