"""The writes that MongoDB did not confirm.

A MongoDB that has lost its majority replies to every command, but may confirm no write for hours.
"""

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

# If one kind of write fails and others succeed, its callers try again within this time.
REMEMBERED_SECONDS = 5.0
QUIET_SECONDS = 5.0  # after this time without a confirmed write, the probe writes


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFailure:
    """The latest failure of one kind of write, and how many *times* in a row it has failed."""

    at: float
    why: str
    times: int


@dataclass(slots=True, kw_only=True, eq=False)
class WriteFailures:
    """Failures by what was attempted. A success of the same kind clears a failure at once.

    A success of another kind clears a failure that happened once, or some seconds ago. So a single
    failure under load is cleared by the next write, and all are kept while none is confirmed.
    """

    clock: Callable[[], float] = time.monotonic
    _failures: dict[str, WriteFailure] = field(default_factory=dict, init=False)
    _confirmed_at: float | None = field(default=None, init=False)

    @property
    def problem(self) -> str | None:
        """Describe the latest failure that is not cleared; None if there is none."""
        if not self._failures:
            return None
        doing, failure = max(self._failures.items(), key=lambda item: item[1].at)
        return f"writes are not confirmed: failed while {doing}: {failure.why or 'no reply'}"

    @property
    def needs_probe(self) -> bool:
        """Whether to probe: a write has failed, or none was confirmed lately.

        Every process probes, also one that has nothing to write, so that all find a failure within
        the time in which none becomes unready alone (ADR 0023).
        """
        if self._failures or self._confirmed_at is None:
            return True
        return self.clock() - self._confirmed_at >= QUIET_SECONDS

    def record_failure(self, doing: str, why: str) -> None:
        before = self._failures.get(doing)
        times = before.times + 1 if before else 1
        self._failures[doing] = WriteFailure(at=self.clock(), why=why, times=times)

    def record_success(self, doing: str) -> None:
        self._confirmed_at = now = self.clock()
        if self._failures:
            self._failures.pop(doing, None)
            self._failures = {
                each: failure
                for each, failure in self._failures.items()
                if failure.times > 1 and now - failure.at <= REMEMBERED_SECONDS
            }


WRITE_FAILURES: ContextVar[WriteFailures | None] = ContextVar(
    "writes that MongoDB did not confirm", default=None
)
"""Where `write_errors` records failures; set for every task that starts after `open_mongo`."""
