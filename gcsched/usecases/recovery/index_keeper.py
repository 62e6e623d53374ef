"""Keeps the indexes: rebuilds missing ones; closes admission while a unique one is not intact."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from gcsched.errors import AdmissionClosed, StoreRefused, StoreUnavailable
from gcsched.usecases.loops import sleep_unless, waking
from gcsched.usecases.ports import Indexes, IndexFault, IndexProblem

EVERY = timedelta(seconds=2)  # much shorter than the interval of sweeps
MIN_PAUSE_SECONDS = 0.5  # between checks: each statement that lacks an index nudges
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 2.0, 30.0  # each build reads the whole collection

Key = tuple[str, str]

REPAIRABLE = frozenset({IndexFault.MISSING, IndexFault.HIDDEN, IndexFault.DUPLICATES})


@dataclass(kw_only=True, eq=False)
class IndexKeeper:
    """Checks the indexes every two seconds, in each process; a nudge brings the next check forward.

    A missing index is built in a task of its own, however long that takes; several processes may
    build the same index without harm. An index with another definition, made by another program,
    stays.
    """

    indexes: Indexes
    clock: Callable[[], float] = time.monotonic
    nudged: asyncio.Event = field(default_factory=asyncio.Event)
    _problems: Mapping[Key, IndexProblem] = field(default_factory=dict, init=False)
    _last_failure: str = field(default="", init=False)
    _checked: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _builds: dict[Key, asyncio.Task[None]] = field(default_factory=dict, init=False)
    _pauses: dict[Key, tuple[float, float]] = field(default_factory=dict, init=False)

    @property
    def problems(self) -> Sequence[str]:
        """The problems, one sentence for each index."""
        return [str(problem) for problem in self._problems.values()]

    @property
    def problem(self) -> str | None:
        """The problems as one text, or None."""
        return "; ".join(self.problems) or None

    async def check_admission(self) -> None:
        """Raise AdmissionClosed while a unique index has a problem; wait for the first check."""
        await self._checked.wait()
        for problem in self._problems.values():
            if problem.is_unique:
                raise AdmissionClosed(str(problem))

    async def run(self, stop: asyncio.Event) -> None:
        try:
            async with waking(self.nudged, on=stop):
                while not stop.is_set():
                    self.nudged.clear()
                    await self.check()
                    await sleep_unless(stop, MIN_PAUSE_SECONDS)
                    await sleep_unless(self.nudged, EVERY.total_seconds() - MIN_PAUSE_SECONDS)
        finally:
            await self._cancel_builds()

    async def _cancel_builds(self) -> None:
        builds = {*self._builds.values()}
        for task in builds:
            task.cancel()
        if builds:
            await asyncio.wait(builds, timeout=1)

    async def check(self) -> None:
        """Find out what is wrong now, and start repairing it."""
        try:
            seen = await self.indexes.check()
        except StoreUnavailable as error:
            if error.for_log != self._last_failure:
                self._last_failure = error.for_log
                structlog.get_logger().warning(
                    "index check failed, retrying", error=self._last_failure
                )
            # A server that refuses the check still accepts jobs: admission need not stay closed.
            if isinstance(error, StoreRefused):
                self._checked.set()
            return
        self._last_failure = ""
        self._update({each.key: self._restore_reason(each) for each in seen})
        for problem in self._problems.values():
            self._repair(problem)

    def _restore_reason(self, seen: IndexProblem) -> IndexProblem:
        """Return *seen* with the reason that an earlier attempt to repair it found."""
        before = self._problems.get(seen.key)
        if before is None or not before.reason:
            return seen
        is_same = before.fault is seen.fault
        is_tried = before.fault is IndexFault.DUPLICATES and seen.fault is IndexFault.MISSING
        return before if is_same or is_tried else seen

    def _update(self, problems: Mapping[Key, IndexProblem]) -> None:
        log = structlog.get_logger()
        for key, problem in problems.items():
            if problem != self._problems.get(key):
                log.error("index missing or changed", index=problem.name, problem=str(problem))
        for key in self._problems.keys() - problems.keys():
            log.warning("index restored", collection=key[0], index=key[1])
            self._pauses.pop(key, None)
        self._problems = dict(problems)
        self._checked.set()

    def _repair(self, problem: IndexProblem) -> None:
        key, now = problem.key, self.clock()
        not_before, pause = self._pauses.get(key, (now, FIRST_PAUSE_SECONDS))
        if problem.fault not in REPAIRABLE or key in self._builds or now < not_before:
            return
        # Duplicates may stay until an operator removes them: the pause grows up to 30 s.
        self._pauses[key] = now + pause, min(pause * 2, MAX_PAUSE_SECONDS)
        self._builds[key] = task = asyncio.create_task(self._build(problem), name=str(problem))
        task.add_done_callback(lambda _: self._builds.pop(key, None))

    async def _build(self, problem: IndexProblem) -> None:
        with suppress(StoreUnavailable):  # logged by the adapter; the next check sees the result
            remaining = await self.indexes.create(problem)
            if remaining is not None:
                self._update({**self._problems, problem.key: remaining})
        self.nudged.set()
