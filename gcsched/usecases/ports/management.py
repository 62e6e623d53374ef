"""What management needs: jobs to read and to change, blocked addresses, personal data."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from gcsched.domain.job import Job
from gcsched.domain.job_list import Cursor, JobFilter, JobListQuery
from gcsched.domain.recipient import Recipient
from gcsched.domain.suppression import Suppression


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Jobs in the order of their list, and where it goes on; None: this is all."""

    jobs: tuple[Job, ...]
    next_cursor: Cursor | None


class JobReader(Protocol):
    async def get(self, job_id: str) -> Job | None:
        """Give the job with this id; raises UnreadableJob where it is none of ours."""


class JobList(Protocol):
    async def read_page(
        self, listing: JobListQuery, after: Cursor | None, *, most: int, is_full: bool
    ) -> Page:
        """Give the *most* jobs that follow *after*; without their texts unless *is_full*."""

    async def count(self, job_filter: JobFilter, *, most: int) -> int:
        """Count what *job_filter* takes in, up to *most*."""


class JobChanges(Protocol):
    async def find(self, job_id: str) -> Job | None:
        """Give the job as it is now; raises UnreadableJob where it is none of ours."""

    async def is_committed(self, job: Job) -> bool:
        """Tell whether *job* is so for good, and not only where it was read."""

    async def change(self, seen: Job, changed: Job, *, within: timedelta) -> bool:
        """Make *changed* of the job if it is as it was *seen*; False when it is not.

        Raises DuplicateJob when another job holds the dedup key or the request id it would take.
        """


JobUpdate = tuple[Job, Job]
"""A job as it was seen, and as it is wanted."""


class BulkJobChanges(Protocol):
    async def change_all(self, pairs: Sequence[JobUpdate]) -> tuple[int, int]:
        """Change jobs that are as they were seen; whose dedup key is taken, stays.

        Gives how many were changed, and how many are to be looked at again. After StoreUnavailable
        some may be changed, for good or not. Raises PartialChange where some cannot be changed,
        after all others were.
        """

    async def find_committed(self, ids: Collection[str]) -> Sequence[Job]:
        """Return the jobs with these *ids* as they are for good, and not only where it was read."""


class SuppressionStore(Protocol):
    async def read_page(self, after: str, *, most: int, now: datetime) -> list[Suppression]:
        """Give the *most* addresses that follow *after*, of those that are blocked at *now*."""

    async def find_active(
        self, addresses: Collection[str], *, now: datetime
    ) -> Mapping[str, Suppression]:
        """Give those of *addresses* that are blocked at *now* in any spelling, in one look."""

    async def add_one(self, job_filter: Suppression) -> Suppression:
        """Keep *job_filter*; where its address is blocked already, it has been since then."""

    async def remove(self, address: str, *, now: datetime) -> Suppression | None:
        """Let *address* have mail again; give what blocked it, if anything did at *now*."""


class InFlightJobs(Protocol):
    async def find_claimed(self, address: str) -> Sequence[Job]:
        """Return the jobs to *address* that are being sent."""

    async def find_begun(self, ids: Collection[str]) -> Collection[tuple[str, str]]:
        """Return the ids and claims of those of *ids* whose bodies have begun and not ended."""

    async def change_all(self, pairs: Sequence[tuple[Job, Job]]) -> tuple[int, int]:
        """Change jobs (seen, changed) that are as they were seen; say how many were, and not.

        Raises PartialChange where some cannot be changed, after all others were.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedBatch:
    """How many jobs of a batch were erased; how many were not, because somebody was faster.

    *last* is where the next batch begins; None: this was the last one.
    """

    jobs: int
    skipped: int
    last: str | None


class PersonalData(Protocol):
    async def find_recipient(self, empid: str) -> Recipient | None:
        """Give the user details, if there are any."""

    async def count_unfinished(self, empid: str) -> int:
        """Count the jobs that have not ended."""

    async def erase_jobs(self, empid: str, *, after: str, most: int, now: datetime) -> ErasedBatch:
        """Erase *most* finished jobs that follow *after*, each only as it was seen."""

    async def delete_recipient(self, empid: str) -> bool:
        """Delete the user details; return whether there were any."""
