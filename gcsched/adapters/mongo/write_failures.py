"""Remember which writes MongoDB did not confirm: one that answers may confirm nothing for hours."""

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

# Where one kind of write fails and others succeed, callers try again within that time.
REMEMBERED_SECONDS = 5.0
QUIET_SECONDS = 5.0  # so long without a confirmed write, and one is tried that changes nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFailure:
    """*times*: how often in a row, without a success of the same between."""

    at: float
    why: str
    times: int


@dataclass(slots=True, kw_only=True, eq=False)
class WriteFailures:
    """What was not confirmed, by what was being done; a success at the same clears it at once.

    A success at anything else clears what failed once, or failed some seconds ago: so a single
    failure under load is forgotten with the next write, and where none is confirmed all are kept.
    """

    clock: Callable[[], float] = time.monotonic
    _failures: dict[str, WriteFailure] = field(default_factory=dict, init=False)
    _confirmed_at: float | None = field(default=None, init=False)

    @property
    def problem(self) -> str | None:
        """Return what failed last and is not cleared; None: nothing."""
        if not self._failures:
            return None
        doing, failure = max(self._failures.items(), key=lambda item: item[1].at)
        return f"writes are not confirmed: failed while {doing}: {failure.why or 'no answer'}"

    @property
    def needs_probe(self) -> bool:
        """Whether one should be tried: because some failed, or because none was confirmed lately.

        All processes try alike, so that all find out within the time in which none leaves.
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
"""Where `write_errors` notes what it sees: set for all that is begun after `open_mongo`."""
