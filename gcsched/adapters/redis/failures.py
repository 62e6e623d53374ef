"""Remember which exchanges with Redis failed lately: a probe that succeeds does not unsay them."""

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

# While mails leave, marks, rings and the rate are tried again within 2 s, so a failure that lasts
# is told without a gap; one that has passed is forgotten soon.
RETENTION_SECONDS = 5.0


@dataclass(slots=True, kw_only=True, eq=False)
class RedisFailures:
    """What failed, by what was being done; a success at the same clears it at once."""

    clock: Callable[[], float] = time.monotonic
    _failed: dict[str, tuple[float, str]] = field(default_factory=dict, init=False)

    @property
    def problem(self) -> str | None:
        """Return what failed last, within the last five seconds; None: nothing."""
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
"""Where `bell_errors` notes what fails: set for all that is begun after `remember_failures`."""


def remember_failures() -> RedisFailures:
    """Return what remembers the failures of this task, and of those that it begins from now on."""
    failures = RedisFailures()
    FAILURES.set(failures)
    return failures
