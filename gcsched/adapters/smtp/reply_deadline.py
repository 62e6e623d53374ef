"""When the reply that is awaited is overdue. Pure: no I/O and no timers."""

import math
from collections.abc import Callable
from datetime import timedelta


class ReplyDeadline:
    """The moment by which the next reply must come, by the monotonic clock *now*.

    While octets of a body are unsent, the relay only has to take some of them: *count_unsent*
    returns how many are left.
    """

    def __init__(self, now: Callable[[], float], count_unsent: Callable[[], int]) -> None:
        self.at = math.inf
        self._now = now
        self._count_unsent = count_unsent
        self._timeout = timedelta(0)
        self._stall = self._dot = timedelta(0)
        self._unsent = 0

    def expect(self, timeout: timedelta) -> None:
        """Expect a reply within *timeout*."""
        self._unsent = 0
        self._set(timeout)

    def expect_body(self, *, stall: timedelta, dot: timedelta) -> None:
        """Expect octets to be taken every *stall*, and a reply within *dot* of the last one."""
        self._stall, self._dot = stall, dot
        self._unsent = self._count_unsent()
        self._set(stall if self._unsent else dot)

    def clear(self) -> None:
        """Expect nothing."""
        self.at = math.inf

    def check(self) -> str | None:
        """Return the reason to lose the session, if the reply is overdue."""
        if self._now() < self.at or self._has_progressed():
            return None
        return f"no answer within {self._timeout.total_seconds():g} seconds"

    def _set(self, timeout: timedelta) -> None:
        self._timeout = timeout
        self.at = self._now() + timeout.total_seconds()

    def _has_progressed(self) -> bool:
        """Return whether the relay took octets since the last look, and expect more of that."""
        before = self._unsent
        if not before or self._count_unsent() >= before:
            return False
        self.expect_body(stall=self._stall, dot=self._dot)
        return True
