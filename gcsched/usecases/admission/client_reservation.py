"""The room for one client's jobs within its limits, and which of its jobs are new."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from gcsched.domain.access import Client
from gcsched.domain.dedup import AdmissionResult, is_new_job
from gcsched.domain.job import Job
from gcsched.errors import GcschedError

Answers = dict[str, AdmissionResult | GcschedError]
"""The answers by the ids of their jobs."""


def find_key(job: Job) -> str:
    """Return a text that is the same for those jobs of a group of which only one can be new.

    By *employee* a window may end within a group, so that several are new there.
    """
    return job.id if job.dedup_until is not None or job.dedup_key is None else job.dedup_key


@dataclass(kw_only=True, eq=False)
class ClientReservation:
    """The room for one client's jobs of a group.

    *held* is what is reserved of `jobs_per_day`. *answers* has the jobs that must not be inserted.
    """

    client: Client
    jobs: Sequence[Job]
    day: date
    held: int = 0
    is_made: bool = False
    answers: Answers = field(default_factory=dict)

    @property
    def limit(self) -> int | None:
        return self.client.limits.jobs_per_day


def split_new(
    jobs: Sequence[Job], found: Sequence[AdmissionResult | GcschedError]
) -> tuple[Answers, list[Job]]:
    """Return the answers to those of *jobs* that exist already, and the others."""
    pairs = list(zip(jobs, found, strict=True))
    known = {job.id: answer for job, answer in pairs if not is_new_job(answer)}
    return known, [job for job, _ in pairs if job.id not in known]
