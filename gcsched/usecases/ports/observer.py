"""What an observer of the use cases hears."""

from asyncio import CancelledError
from enum import StrEnum
from typing import Protocol

from gcsched.domain.dedup import AdmissionOutcome
from gcsched.domain.job import Job
from gcsched.errors import GcschedError

AdmissionError = GcschedError | CancelledError


class BatchStep(StrEnum):
    """What is done for many jobs at once; the names are those of the metrics."""

    ADMISSION = "admission"
    CLAIM = "claim"
    FENCE = "fence"
    OUTCOME = "outcome"


class Observer(Protocol):
    """Whoever counts what happens. It is told on hot paths: it is quick and never fails."""

    def on_admission(self, result: AdmissionOutcome | AdmissionError) -> None:
        """Hear what one call for a job came to, or the error that it ended with."""

    def on_batch(self, step: BatchStep, jobs: int) -> None:
        """Hear for how many *jobs* one *step* was done together."""

    def on_conclusion(self, job: Job) -> None:
        """Hear what became of a claimed job."""

    def on_repair(self, reason: str, count: int) -> None:
        """Hear what a sweep has repaired."""


class NullObserver:
    """The Observer where nobody counts."""

    def on_admission(self, result: AdmissionOutcome | AdmissionError) -> None: ...

    def on_batch(self, step: BatchStep, jobs: int) -> None: ...

    def on_conclusion(self, job: Job) -> None: ...

    def on_repair(self, reason: str, count: int) -> None: ...
