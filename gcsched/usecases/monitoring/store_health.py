"""The health of one store as this process sees it: its problem, and since when."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gcsched.usecases.loops import run_periodically
from gcsched.usecases.monitoring.store_check import NOT_CHECKED
from gcsched.usecases.ports import Clock

EVERY = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreReport:
    """The *problem* of a store, None if it is well; either has been so since *state_time*."""

    name: str
    problem: str | None
    state_time: datetime

    @property
    def is_away(self) -> bool:
        """Whether a check has found a problem: before the first one, nothing is known."""
        return self.problem is not None and self.problem != NOT_CHECKED


@dataclass(kw_only=True, eq=False)
class StoreHealth:
    """Remembers when the store *name* became unwell, or well again.

    The first problem that one of *problem_checks* returns is reported; None means no problem.
    """

    name: str
    problem_checks: Sequence[Callable[[], str | None]]
    now: Clock
    _is_well: bool | None = field(default=None, init=False)
    _state_time: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._state_time = self.now()

    @property
    def problem(self) -> str | None:
        return next((text for each in self.problem_checks if (text := each())), None)

    def report(self) -> StoreReport:
        problem = self.problem
        is_well = problem is None
        if is_well != self._is_well:
            self._is_well, self._state_time = is_well, self.now()
        return StoreReport(name=self.name, problem=problem, state_time=self._state_time)

    async def run(self, stop: asyncio.Event) -> None:
        """Check once a second, so that the time is right even if no report is requested."""
        await run_periodically(self._refresh, every=EVERY, stop=stop)

    async def _refresh(self) -> None:
        self.report()
