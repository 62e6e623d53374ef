"""The port of an observer that counts what the use cases do."""

from asyncio import CancelledError
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from gcsched.domain.dedup import AdmissionOutcome
from gcsched.domain.job import Job
from gcsched.errors import GcschedError

AdmissionError = GcschedError | CancelledError


class BatchStep(StrEnum):
    """A step that is done for many jobs at once; the values are labels of metrics."""

    ADMISSION = "admission"
    CLAIM = "claim"
    FENCE = "fence"
    OUTCOME = "outcome"


class Observer(Protocol):
    """Counts events. It is called on hot paths: its methods must be fast and must not fail."""

    def on_admission(self, result: AdmissionOutcome | AdmissionError) -> None:
        """Count the result of one call for a job, or the error that ended it."""

    def on_batch(self, step: BatchStep, jobs: int) -> None:
        """Record that one *step* was done for *jobs* jobs together."""

    def on_outcomes(self, jobs: Sequence[Job], lateness: Sequence[timedelta]) -> None:
        """Count the outcomes of claimed jobs, and the *lateness* of those that were accepted."""

    def on_repair(self, reason: str, count: int) -> None:
        """Count what a sweep has repaired."""


class NullObserver:
    """An Observer that counts nothing."""

    def on_admission(self, result: AdmissionOutcome | AdmissionError) -> None: ...

    def on_batch(self, step: BatchStep, jobs: int) -> None: ...

    def on_outcomes(self, jobs: Sequence[Job], lateness: Sequence[timedelta]) -> None: ...

    def on_repair(self, reason: str, count: int) -> None: ...
