"""Remember which exchanges with Redis failed lately, also when a later probe succeeds."""

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

# While mails leave, sent markers, wake-ups and the rate are tried again within 2 s. So a failure
# that lasts is reported without a gap, and one that has passed is soon forgotten.
RETENTION_SECONDS = 5.0


@dataclass(slots=True, kw_only=True, eq=False)
class RedisFailures:
    """The latest failure of each action; a success of the same action clears it at once."""

    clock: Callable[[], float] = time.monotonic
    _failed: dict[str, tuple[float, str]] = field(default_factory=dict, init=False)

    @property
    def problem(self) -> str | None:
        """Return the latest failure, if the last five seconds had one."""
        too_old = self.clock() - RETENTION_SECONDS
        self._failed = {doing: each for doing, each in self._failed.items() if each[0] > too_old}
        if not self._failed:
            return None
        doing, (_, why) = max(self._failed.items(), key=lambda item: item[1][0])
        return f"failed while {doing}: {why}"

    def record_failure(self, doing: str, why: str) -> None:
        self._failed[doing] = (self.clock(), why)

    def record_success(self, doing: str) -> None:
        if self._failed:
            self._failed.pop(doing, None)


FAILURES: ContextVar[RedisFailures | None] = ContextVar("failures of Redis", default=None)
"""Where `redis_errors` records failures: set in all tasks that start after `remember_failures`."""


def remember_failures() -> RedisFailures:
    """Return a record of the failures of this task, and of the tasks that it starts from now on."""
    failures = RedisFailures()
    FAILURES.set(failures)
    return failures
