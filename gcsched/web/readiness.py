"""Readiness: whether this process should get calls, and what is wrong with its dependencies."""

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


NOT_SERVING = "the service does not serve yet"
STOPPING = "the service is stopping"

TAKES_CALLS = frozenset({ReadinessStatus.READY, ReadinessStatus.DEGRADED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """Something that the service depends on; without one that *is_needed* calls fail.

    One that is not *is_always_reported* is named only while it has a problem.
    """

    name: str
    problem: Callable[[], str | None]
    is_needed: bool = False
    is_always_reported: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadinessReport:
    """What ``/readyz`` shows."""

    status: ReadinessStatus
    dependencies: Mapping[str, str]
    tasks: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None

    @property
    def is_ready(self) -> bool:
        return self.status in TAKES_CALLS


def never_isolated() -> None:
    """Return None: the isolation check of a process that cannot be cut off."""


@dataclass(kw_only=True, eq=False)
class Readiness:
    """The readiness of this process: starting, then by its dependencies, and stopping at the end.

    It is starting until its dependencies are set.
    """

    _dependencies: tuple[Dependency, ...] = field(default=(), init=False)
    _tasks: Callable[[], Mapping[str, str]] = field(default=dict, init=False)
    _is_serving: bool = field(default=False, init=False)
    _is_stopping: bool = field(default=False, init=False)
    _isolation_reason: Callable[[], str | None] = field(
        default_factory=lambda: never_isolated, init=False
    )
    _waiting_reason: str = field(default=WAITING, init=False)
    failure: str | None = field(default=None, init=False)
    """Which background task ended by itself, and how; the process ends soon."""

    def set_waiting_reason(self, why: str) -> None:
        """Record *why* MongoDB cannot be used yet."""
        self._waiting_reason = f"{WAITING}: {why}" if why else WAITING

    def set_dependencies(self, *dependencies: Dependency) -> None:
        self._dependencies = dependencies

    def set_tasks(self, states: Callable[[], Mapping[str, str]]) -> None:
        """Report *states*, the state of each background task, from now on."""
        self._tasks = states

    def set_isolation_check(self, why: Callable[[], str | None]) -> None:
        """Use *why*, which returns why callers should go to other processes, or None."""
        self._isolation_reason = why

    def mark_serving(self) -> None:
        """Record that calls are accepted from now on."""
        self._is_serving = True

    @property
    def is_serving(self) -> bool:
        """Whether calls are accepted: serving, not stopping, and no background task has ended."""
        return self._is_serving and not self._is_stopping and self.failure is None

    def mark_stopping(self) -> None:
        self._is_stopping = True

    def mark_failed(self, reason: str) -> None:
        self.failure = reason

    def why_not_serving(self) -> str | None:
        """Return why no calls should come here, or None if they should.

        A store that is away for all processes is not a reason: callers would then find no process
        at all, instead of an answer that says when to try again.
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
        # In the order of severity: a failure outweighs a stop, and a stop any dependency.
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
