"""Whether this process is to be given calls, and what is wrong with what it depends on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

OK = "ok"
WAITING = "waiting for MongoDB"


class Status(StrEnum):
    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    UNAVAILABLE = "unavailable"
    STOPPING = "stopping"
    FAILED = "failed"


NOT_YET = "it does not serve yet"
STOPPING = "it was told to stop"

TAKES_CALLS = frozenset({Status.READY, Status.DEGRADED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """Without one that *is_needed* no call can be answered well.

    One that is not *is_always_told* is named only while something is wrong with it.
    """

    name: str
    trouble: Callable[[], str | None]
    is_needed: bool = False
    is_always_told: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    status: Status
    dependencies: Mapping[str, str]
    parts: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None

    @property
    def is_ready(self) -> bool:
        return self.status in TAKES_CALLS


def nothing() -> None:
    """Be the *why* of a process that nothing cuts off."""


@dataclass(kw_only=True, eq=False)
class Readiness:
    """Starting, until it is told what it depends on; then as those are; stopping at last."""

    _dependencies: tuple[Dependency, ...] = field(default=(), init=False)
    _parts: Callable[[], Mapping[str, str]] = field(default=dict, init=False)
    _is_serving: bool = field(default=False, init=False)
    _is_stopping: bool = field(default=False, init=False)
    _why_cut_off: Callable[[], str | None] = field(default_factory=lambda: nothing, init=False)
    _waiting: str = field(default=WAITING, init=False)
    failure: str | None = field(default=None, init=False)
    """What part of the service ended by itself, and how; the process ends soon."""

    def waiting(self, why: str) -> None:
        """Note *why* MongoDB cannot be used yet."""
        self._waiting = f"{WAITING}: {why}" if why else WAITING

    def started(self, *dependencies: Dependency) -> None:
        self._dependencies = dependencies

    def show_parts(self, states: Callable[[], Mapping[str, str]]) -> None:
        """Show *states* from now on: what each part of the service does."""
        self._parts = states

    def watch_for_cut_off(self, why: Callable[[], str | None]) -> None:
        """Ask *why* calls should go to other processes, from now on; None: they need not."""
        self._why_cut_off = why

    def serving(self) -> None:
        """Note that calls are taken from now on."""
        self._is_serving = True

    @property
    def is_serving(self) -> bool:
        """Whether calls are taken: begun, not told to stop, and no part has ended."""
        return self._is_serving and not self._is_stopping and self.failure is None

    def stopping(self) -> None:
        self._is_stopping = True

    def failed(self, reason: str) -> None:
        self.failure = reason

    def why_not_serving(self) -> str | None:
        """Return why no calls should be sent here; None: they should, whatever is away.

        A store that is away for all processes is no reason: callers would find no address at all,
        instead of an answer that says when to try again.
        """
        if self.failure is not None:
            return self.failure
        if self._is_stopping:
            return STOPPING
        return self._why_cut_off() if self._is_serving else NOT_YET

    def report(self) -> Report:
        return replace(self._report(), parts=dict(self._parts()))

    def _report(self) -> Report:
        troubles = {each: each.trouble() for each in self._dependencies}
        told = {
            each.name: trouble or OK
            for each, trouble in troubles.items()
            if trouble or each.is_always_told
        }
        if self.failure is not None:
            return Report(status=Status.FAILED, dependencies=told, reason=self.failure)
        if self._is_stopping:
            return Report(status=Status.STOPPING, dependencies=told, reason=STOPPING)
        if not troubles:
            waiting = {"mongodb": self._waiting}
            return Report(status=Status.STARTING, dependencies=waiting, reason=self._waiting)
        wrong = [each for each, trouble in troubles.items() if trouble]
        if not wrong:
            return Report(status=Status.READY, dependencies=told)
        is_needed = any(each.is_needed for each in wrong)
        reason = "; ".join(f"{each.name} {told[each.name]}" for each in wrong)
        status = Status.UNAVAILABLE if is_needed else Status.DEGRADED
        return Report(status=status, dependencies=told, reason=reason)
