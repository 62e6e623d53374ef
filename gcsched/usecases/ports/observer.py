"""What an observer of the use cases hears."""

from enum import StrEnum
from typing import Protocol

from gcsched.domain.job import Job


class AdmissionOutcome(StrEnum):
    """How a caller's wish ended; the names are those of the metrics."""

    CREATED = "created"
    REPLAYED = "replayed"
    INVALID = "invalid"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    STOPPING = "stopping"
    CANCELLED = "cancelled"
    REFUSED = "refused"


class Step(StrEnum):
    """What is done for many jobs at once; the names are those of the metrics."""

    ADMISSION = "admission"
    CLAIM = "claim"
    FENCE = "fence"
    OUTCOME = "outcome"


class Observer(Protocol):
    """Whoever counts what happens. It is told on hot paths: it is quick and never fails."""

    def admission(self, outcome: AdmissionOutcome) -> None:
        """Hear how one caller's wish ended."""

    def batch(self, step: Step, jobs: int) -> None:
        """Hear for how many *jobs* one *step* was done together."""

    def concluded(self, job: Job) -> None:
        """Hear what became of a claimed job."""

    def repaired(self, reason: str, count: int) -> None:
        """Hear what a sweep has repaired."""


class Unobserved:
    """The Observer where nobody counts."""

    def admission(self, outcome: AdmissionOutcome) -> None: ...

    def batch(self, step: Step, jobs: int) -> None: ...

    def concluded(self, job: Job) -> None: ...

    def repaired(self, reason: str, count: int) -> None: ...
