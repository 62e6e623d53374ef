"""Log a trouble that lasts when it begins, changes and ends, not at each try that meets it."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

REPEAT_AFTER_SECONDS = 300.0
MAX_LINES = 10  # of troubles in that time, and as many of their ends


@dataclass(kw_only=True, eq=False)
class ProblemLog:
    """One kind of trouble: *event* is logged while it lasts, *end_event* when it has ended.

    The same error is logged again after five minutes, with the number of tries since it began.
    While a trouble lasts, the last line says so, however often it came and went before: other
    words leave one place for the next trouble, and an end is held back until there is a place.
    """

    event: str
    end_event: str
    clock: Callable[[], float] = time.monotonic
    _failures: int = field(default=0, init=False)
    _start: float = field(default=0.0, init=False)
    _end: float | None = field(default=None, init=False)
    _logged: dict[str, float] = field(default_factory=dict, init=False)
    _lines: deque[float] = field(default_factory=deque, init=False)

    def record_failure(self, error: str, *, reason: str = "", **fields: object) -> None:
        """Note that a try met *error*, for that *reason*; log it when either is news."""
        now = self.clock()
        is_new = not self._failures
        if is_new:
            self._start = now
        self._failures += 1
        self._end = None
        self._logged = {
            each: at for each, at in self._logged.items() if now - at < REPEAT_AFTER_SECONDS
        }
        key = f"{error} {reason}"
        if key in self._logged or self._lines_left(now) < (1 if is_new else 2):
            return
        self._logged[key] = now
        self._lines.append(now)
        if reason:
            fields["reason"] = reason
        if not is_new:
            fields["times"] = self._failures
        structlog.get_logger().warning(self.event, error=error, **fields)

    def record_success(self) -> None:
        """Note that a try succeeded."""
        if not self._failures:
            return
        now = self.clock()
        if self._end is None:
            self._end = now
        if not self._lines_left(now):
            return  # the next trouble could not be logged: this line would hide it
        times, lasted = self._failures, round(self._end - self._start, 1)
        self._failures, self._end, self._logged = 0, None, {}
        structlog.get_logger().info(self.end_event, times=times, lasted_seconds=lasted)

    def _lines_left(self, now: float) -> int:
        """Return how many lines of trouble may still be written in these five minutes."""
        while self._lines and now - self._lines[0] >= REPEAT_AFTER_SECONDS:
            self._lines.popleft()
        return MAX_LINES - len(self._lines)
