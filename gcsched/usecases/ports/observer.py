"""What an observer of the use cases hears."""

from asyncio import CancelledError
from enum import StrEnum
from typing import Protocol

from gcsched.domain.dedup import Outcome
from gcsched.domain.job import Job
from gcsched.errors import GcschedError

AdmissionError = GcschedError | CancelledError


class Step(StrEnum):
    """What is done for many jobs at once; the names are those of the metrics."""

    ADMISSION = "admission"
    CLAIM = "claim"
    FENCE = "fence"
    OUTCOME = "outcome"


class Observer(Protocol):
    """Whoever counts what happens. It is told on hot paths: it is quick and never fails."""

    def admission(self, came_to: Outcome | AdmissionError) -> None:
        """Hear what one call for a job came to, or the error that it ended with."""

    def batch(self, step: Step, jobs: int) -> None:
        """Hear for how many *jobs* one *step* was done together."""

    def concluded(self, job: Job) -> None:
        """Hear what became of a claimed job."""

    def repaired(self, reason: str, count: int) -> None:
        """Hear what a sweep has repaired."""


class Unobserved:
    """The Observer where nobody counts."""

    def admission(self, came_to: Outcome | AdmissionError) -> None: ...

    def batch(self, step: Step, jobs: int) -> None: ...

    def concluded(self, job: Job) -> None: ...

    def repaired(self, reason: str, count: int) -> None: ...
