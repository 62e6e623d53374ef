"""How far a load test is, for people who wait for it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

RATE_WINDOW_SECONDS = 2.0


@dataclass(kw_only=True)
class Progress:
    """The state of the round under way; *late_seconds* is the lateness of the latest mail."""

    scenario: str = ""
    stage: str = "starting"
    round: int = 1
    rounds: int = 1
    done: int = 0
    total: int = 0
    late_seconds: float | None = None
    _marks: list[tuple[float, int]] = field(default_factory=list)

    def begin(self, stage: str, total: int) -> None:
        self.stage, self.total, self.done, self.late_seconds = stage, total, 0, None
        self._marks = [(time.monotonic(), 0)]

    def measure_rate(self) -> float:
        """Return what was done per second in the last two seconds, or since the last call."""
        now = time.monotonic()
        recent = [each for each in self._marks if now - each[0] <= RATE_WINDOW_SECONDS]
        # The last one stays, however old: it may be shown less often than that.
        self._marks = [*(recent or self._marks[-1:]), (now, self.done)]
        since, before = self._marks[0]
        return (self.done - before) / (now - since) if now > since else 0.0


Show = Callable[[Progress], None]


@asynccontextmanager
async def show_regularly(progress: Progress, show: Show, every: float) -> AsyncIterator[None]:
    """Call *show* each *every* seconds while the block runs."""

    async def repeat() -> None:
        while True:
            await asyncio.sleep(every)
            show(progress)

    task = asyncio.create_task(repeat(), name="progress")
    try:
        yield
    finally:
        task.cancel()
