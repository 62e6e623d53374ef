"""The log of a lasting problem: one line at its start, changes and end, not at each failure."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

REPEAT_AFTER_SECONDS = 300.0
MAX_LINES = 10  # failures logged in that time, and as many ends


@dataclass(kw_only=True, eq=False)
class ProblemLog:
    """The log of one kind of problem: *event* while it lasts, *end_event* when it has ended.

    The same error is logged again after five minutes, with the number of failures so far. At most
    MAX_LINES failures are logged in five minutes. The last line of a problem that lasts is never
    its end, however often it came and went: a changed error leaves one line for the next problem,
    and an end is held back until a line is free.
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
        """Count a failure with *error* and *reason*; log it unless the same was logged lately."""
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
        """Record that an operation succeeded; log the end of the problem if there was one."""
        if not self._failures:
            return
        now = self.clock()
        if self._end is None:
            self._end = now
        if not self._lines_left(now):
            return  # the next failure could not be logged, and this line would hide it
        times, lasted = self._failures, round(self._end - self._start, 1)
        self._failures, self._end, self._logged = 0, None, {}
        structlog.get_logger().info(self.end_event, times=times, lasted_seconds=lasted)

    def _lines_left(self, now: float) -> int:
        """Return how many failures may still be logged in these five minutes."""
        while self._lines and now - self._lines[0] >= REPEAT_AFTER_SECONDS:
            self._lines.popleft()
        return MAX_LINES - len(self._lines)
