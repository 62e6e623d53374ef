"""Log a trouble that lasts when it begins, changes and ends, not at each try that meets it."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

EVERY_SECONDS = 300.0
MOST_LINES = 10  # in that time, where a trouble comes and goes or changes its words


@dataclass(kw_only=True, eq=False)
class LastingTrouble:
    """One kind of trouble: *event* is logged while it lasts, *over* when it has ended.

    The same error is logged again after five minutes, with the number of tries since the begin.
    """

    event: str
    over: str
    clock: Callable[[], float] = time.monotonic
    _times: int = field(default=0, init=False)
    _began: float = field(default=0.0, init=False)
    _logged: dict[str, float] = field(default_factory=dict, init=False)
    _lines: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_LINES), init=False)

    def met(self, error: str, *, reason: str = "", **fields: object) -> None:
        """Note that a try met *error*, for that *reason*; log it when either is news."""
        now = self.clock()
        if not self._times:
            self._began = now
        self._times += 1
        self._logged = {each: at for each, at in self._logged.items() if now - at < EVERY_SECONDS}
        words = f"{error} {reason}"
        if words in self._logged or not self._has_room(now):
            return
        self._logged[words] = now
        if reason:
            fields["reason"] = reason
        if self._times > 1:
            fields["times"] = self._times
        structlog.get_logger().warning(self.event, error=error, **fields)

    def ended(self) -> None:
        """Note that a try succeeded."""
        if not self._times:
            return
        now, times, was_logged = self.clock(), self._times, bool(self._logged)
        self._times, self._logged = 0, {}
        if was_logged and self._has_room(now):
            lasted = round(now - self._began, 1)
            structlog.get_logger().info(self.over, times=times, lasted_seconds=lasted)

    def _has_room(self, now: float) -> bool:
        """Take a place among the lines of the last five minutes, if there is one."""
        if len(self._lines) == MOST_LINES and now - self._lines[0] < EVERY_SECONDS:
            return False
        self._lines.append(now)
        return True
