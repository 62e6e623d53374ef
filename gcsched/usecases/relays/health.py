"""The health of one relay: whether it can be used, since when, and its last error."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from gcsched.domain.relay_health import (
    CheckSchedule,
    HealthReport,
    RelayObservation,
    RelayState,
    next_state,
)
from gcsched.usecases.ports import Clock


@dataclass(kw_only=True, eq=False)
class RelayHealth:
    """Collects observations of one relay. *clock* is monotonic.

    It logs nothing: ProtectedRelay does, when its breaker opens and closes.
    """

    relay: str
    now: Clock
    clock: Callable[[], float] = time.monotonic
    schedule: CheckSchedule = field(default_factory=CheckSchedule, init=False)
    observed_at: float = field(default=0.0, init=False)
    has_failed: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    """Set at each failure: the next check may be due sooner."""
    _report: HealthReport = field(init=False)
    _check_time: datetime | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._report = HealthReport(state_time=self.now())

    def report(self) -> HealthReport:
        return replace(self._report, check_time=self._check_time)

    def plan_check(self, seconds: float) -> None:
        """Note in how many seconds the next check is."""
        self._check_time = self.now() + timedelta(seconds=seconds)

    @property
    def is_up(self) -> bool | None:
        """Return whether the relay can be used; None: not known yet."""
        state = self._report.state
        return None if state is RelayState.UNKNOWN else state is RelayState.UP

    def record(self, observation: RelayObservation) -> None:
        """Update the health by what a mail or a check has shown."""
        before = self._report
        self.observed_at = self.clock()
        self.schedule = self.schedule.after(observation)
        state = next_state(before.state, observation)
        error = observation.error or ("" if observation.clears_error else before.error)
        if (state, error) != (before.state, before.error):
            is_same = state is before.state
            since = before.state_time if is_same else self.now()
            self._report = HealthReport(state=state, error=error, state_time=since)
        if observation.error:
            self.has_failed.set()

    def postpone_check(self) -> None:
        """Wait for the whole interval again: mails are on their way and will show the state."""
        self.observed_at = self.clock()
        self.schedule = replace(self.schedule, is_new=False)
