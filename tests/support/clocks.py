"""A clock that stands still until a test moves it, and lengths of time."""

from dataclasses import dataclass
from datetime import timedelta

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass
class FakeMonotonicClock:
    """A monotonic clock."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds
