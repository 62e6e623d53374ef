"""The log of refused calls: a line for each kind, not for each call."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from gcsched.domain.refusal import Refusal

PERIOD_SECONDS = 300.0
MAX_KINDS = 20  # logged in one period, so that made-up tokens cannot fill the log


@dataclass(kw_only=True, eq=False)
class RefusalLog:
    """Logs the first refusal of each kind in five minutes, and how many followed.

    A kind is a reason, a client and a token.
    """

    clock: Callable[[], float] = time.monotonic
    _start: float | None = field(default=None, init=False)
    _counts: dict[Refusal, int] = field(default_factory=dict, init=False)
    _others: int = field(default=0, init=False)

    def record(self, refusal: Refusal, *, method: str, peer: Callable[[], str]) -> None:
        """Count *refusal*; log it if it is the first of its kind. *peer* returns who called."""
        if (count := self._counts.get(refusal)) is not None:
            self._counts[refusal] = count + 1
            return
        if self._start is None:
            self._start = self.clock()
        if len(self._counts) >= MAX_KINDS:
            self._others += 1
            return
        self._counts[refusal] = 1
        structlog.get_logger().warning(
            "call refused", **describe(refusal), method=method, peer=peer()
        )

    def flush_if_due(self) -> None:
        """Log what the last five minutes came to, once they are over."""
        if self._start is not None and self.clock() - self._start >= PERIOD_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Log how many refusals of each kind there were, and start anew."""
        log = structlog.get_logger()
        for refusal, count in self._counts.items():
            if count > 1:
                log.warning("calls refused", **describe(refusal), times=count)
        if self._others:
            log.warning("calls refused", reason="others", times=self._others)
        self._counts, self._others, self._start = {}, 0, None


def describe(refusal: Refusal) -> dict[str, str]:
    """Return the fields of a line; what is not known is left out."""
    known = {"reason": refusal.reason.value, "client": refusal.client, "token": refusal.token}
    return {name: value for name, value in known.items() if value}
