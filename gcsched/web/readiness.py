"""Whether this process is to be given calls, and what is wrong with what it depends on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

OK = "ok"
WAITING = "waiting for MongoDB"


class ReadinessStatus(StrEnum):
    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    UNAVAILABLE = "unavailable"
    STOPPING = "stopping"
    FAILED = "failed"


NOT_SERVING = "it does not serve yet"
STOPPING = "it was told to stop"

TAKES_CALLS = frozenset({ReadinessStatus.READY, ReadinessStatus.DEGRADED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """Without one that *is_needed* no call can be answered well.

    One that is not *is_always_reported* is named only while something is wrong with it.
    """

    name: str
    problem: Callable[[], str | None]
    is_needed: bool = False
    is_always_reported: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadinessReport:
    status: ReadinessStatus
    dependencies: Mapping[str, str]
    tasks: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None

    @property
    def is_ready(self) -> bool:
        return self.status in TAKES_CALLS


def never_isolated() -> None:
    """Be the *why* of a process that nothing cuts off."""


@dataclass(kw_only=True, eq=False)
class Readiness:
    """Starting, until it is told what it depends on; then as those are; stopping at last."""

    _dependencies: tuple[Dependency, ...] = field(default=(), init=False)
    _tasks: Callable[[], Mapping[str, str]] = field(default=dict, init=False)
    _is_serving: bool = field(default=False, init=False)
    _is_stopping: bool = field(default=False, init=False)
    _isolation_reason: Callable[[], str | None] = field(
        default_factory=lambda: never_isolated, init=False
    )
    _waiting_reason: str = field(default=WAITING, init=False)
    failure: str | None = field(default=None, init=False)
    """What part of the service ended by itself, and how; the process ends soon."""

    def set_waiting_reason(self, why: str) -> None:
        """Note *why* MongoDB cannot be used yet."""
        self._waiting_reason = f"{WAITING}: {why}" if why else WAITING

    def set_dependencies(self, *dependencies: Dependency) -> None:
        self._dependencies = dependencies

    def set_tasks(self, states: Callable[[], Mapping[str, str]]) -> None:
        """Show *states* from now on: what each part of the service does."""
        self._tasks = states

    def set_isolation_check(self, why: Callable[[], str | None]) -> None:
        """Ask *why* calls should go to other processes, from now on; None: they need not."""
        self._isolation_reason = why

    def mark_serving(self) -> None:
        """Note that calls are taken from now on."""
        self._is_serving = True

    @property
    def is_serving(self) -> bool:
        """Whether calls are taken: begun, not told to stop, and no part has ended."""
        return self._is_serving and not self._is_stopping and self.failure is None

    def mark_stopping(self) -> None:
        self._is_stopping = True

    def mark_failed(self, reason: str) -> None:
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
        return self._isolation_reason() if self._is_serving else NOT_SERVING

    def report(self) -> ReadinessReport:
        return replace(self._report(), tasks=dict(self._tasks()))

    def _report(self) -> ReadinessReport:
        problems = {each: each.problem() for each in self._dependencies}
        reported = {
            each.name: problem or OK
            for each, problem in problems.items()
            if problem or each.is_always_reported
        }
        if self.failure is not None:
            return ReadinessReport(
                status=ReadinessStatus.FAILED, dependencies=reported, reason=self.failure
            )
        if self._is_stopping:
            return ReadinessReport(
                status=ReadinessStatus.STOPPING, dependencies=reported, reason=STOPPING
            )
        if not problems:
            waiting = {"mongodb": self._waiting_reason}
            return ReadinessReport(
                status=ReadinessStatus.STARTING, dependencies=waiting, reason=self._waiting_reason
            )
        failing = [each for each, problem in problems.items() if problem]
        if not failing:
            return ReadinessReport(status=ReadinessStatus.READY, dependencies=reported)
        is_needed = any(each.is_needed for each in failing)
        reason = "; ".join(f"{each.name} {reported[each.name]}" for each in failing)
        status = ReadinessStatus.UNAVAILABLE if is_needed else ReadinessStatus.DEGRADED
        return ReadinessReport(status=status, dependencies=reported, reason=reason)
