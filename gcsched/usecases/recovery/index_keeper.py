"""Look after the indexes: make again what is missing, and take no requests without a unique one."""

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

EVERY = timedelta(seconds=2)  # well within a sweep
MIN_PAUSE_SECONDS = 0.5  # between looks: each statement that fails for an index asks for one
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 2.0, 30.0  # each try reads the whole collection

Key = tuple[str, str]


REPAIRABLE = frozenset({IndexFault.MISSING, IndexFault.HIDDEN, IndexFault.DUPLICATES})


@dataclass(kw_only=True, eq=False)
class IndexKeeper:
    """Look every two seconds, in each process; a nudge has it look at once, or half a second later.

    An index that is missing is made beside the looking, however long that takes: others make the
    same one at the same time without harm. What another program has put in its place stays.
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
        """What is wrong, one sentence for each index."""
        return [str(problem) for problem in self._problems.values()]

    @property
    def problem(self) -> str | None:
        """What is wrong, as one text; None: nothing."""
        return "; ".join(self.problems) or None

    async def check_admission(self) -> None:
        """Return where keys are unique; raises AdmissionClosed where they are not."""
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
        """Learn what is wrong now, and begin to mend it."""
        try:
            seen = await self.indexes.check()
        except StoreUnavailable as error:
            if error.for_log != self._last_failure:
                self._last_failure = error.for_log
                structlog.get_logger().warning("indexes not looked at", error=self._last_failure)
            if isinstance(error, StoreRefused):  # what cannot be known is no reason to take nothing
                self._checked.set()
            return
        self._last_failure = ""
        self._update({each.key: self._restore_reason(each) for each in seen})
        for problem in self._problems.values():
            self._repair(problem)

    def _restore_reason(self, seen: IndexProblem) -> IndexProblem:
        """Return *seen* with what an earlier try to mend it has found out."""
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
                log.error("index not whole", index=problem.name, problem=str(problem))
        for key in self._problems.keys() - problems.keys():
            log.warning("index whole again", collection=key[0], index=key[1])
            self._pauses.pop(key, None)
        self._problems = dict(problems)
        self._checked.set()

    def _repair(self, problem: IndexProblem) -> None:
        key, now = problem.key, self.clock()
        not_before, pause = self._pauses.get(key, (now, FIRST_PAUSE_SECONDS))
        if problem.fault not in REPAIRABLE or key in self._builds or now < not_before:
            return
        self._pauses[key] = now + pause, min(pause * 2, MAX_PAUSE_SECONDS)
        self._builds[key] = task = asyncio.create_task(self._build(problem), name=str(problem))
        task.add_done_callback(lambda _: self._builds.pop(key, None))

    async def _build(self, problem: IndexProblem) -> None:
        with suppress(StoreUnavailable):  # told by `store refused`; built there meanwhile, or not
            remaining = await self.indexes.create(problem)
            if remaining is not None:
                self._update({**self._problems, problem.key: remaining})
        self.nudged.set()
