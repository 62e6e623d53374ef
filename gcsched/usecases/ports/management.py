"""Ports of management: jobs to read and to change, suppressions, and personal data."""

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
    """Jobs in the order of their list; *next_cursor* starts the next page, None at the end."""

    jobs: tuple[Job, ...]
    next_cursor: Cursor | None


class JobReader(Protocol):
    """Reads one job."""

    async def get(self, job_id: str) -> Job | None:
        """Return the job with this id, or None; raises UnreadableJob if its document is invalid."""


class JobList(Protocol):
    """Reads lists of jobs."""

    async def read_page(
        self, listing: JobListQuery, after: Cursor | None, *, most: int, is_full: bool
    ) -> Page:
        """Return at most *most* jobs that follow *after*; without their texts unless *is_full*."""

    async def count(self, job_filter: JobFilter, *, most: int) -> int:
        """Count the jobs that match *job_filter*, up to *most*."""


class JobChanges(Protocol):
    """The store of changes to one job."""

    async def find(self, job_id: str) -> Job | None:
        """Return the job as it is now; raises UnreadableJob if its document is not a valid job."""

    async def is_committed(self, job: Job) -> bool:
        """Return whether a majority has *job* in this version, not only the node that was read."""

    async def change(self, seen: Job, changed: Job, *, within: timedelta) -> bool:
        """Replace *seen* by *changed* if the job is still as *seen*; return False if it is not.

        Raises DuplicateJob when another job holds the dedup key or the request id that it would
        take.
        """


class JobMeetings(Protocol):
    """The meetings that jobs are about, as changes of these jobs by callers concern them."""

    async def find_supersession(self, job: Job) -> str:
        """Return why *job* must not be retried, because its meeting has changed; "" if it may."""

    async def find_objections(self, jobs: Sequence[Job]) -> Mapping[str, str]:
        """Return job id → why it is not wanted any more, for those of *jobs* that are not."""

    async def reconcile(self, job: Job, *, within: timedelta) -> None:
        """Have the meeting of *job*, which was cancelled, take it in. Raises StoreUnavailable."""

    def notice(self, jobs: Collection[Job]) -> None:
        """Have the meetings of *jobs*, which were changed, looked at soon."""


class NoMeetings:
    """The JobMeetings of a service that keeps none."""

    async def find_supersession(self, job: Job) -> str:
        del job
        return ""

    async def find_objections(self, jobs: Sequence[Job]) -> Mapping[str, str]:
        del jobs
        return {}

    async def reconcile(self, job: Job, *, within: timedelta) -> None: ...

    def notice(self, jobs: Collection[Job]) -> None: ...


JobUpdate = tuple[Job, Job]
"""A job as it was read, and as it is to become."""


class BulkJobChanges(Protocol):
    """The store of changes to many jobs."""

    async def change_all(self, pairs: Sequence[JobUpdate]) -> tuple[int, int]:
        """Change the jobs that are still as they were read; skip those whose dedup key is taken.

        Returns how many were changed, and how many have to be read again. After StoreUnavailable
        some may be changed, permanently or not. Raises PartialChange, after all other jobs were
        changed, if some cannot be changed.
        """

    async def find_committed(self, ids: Collection[str]) -> Sequence[Job]:
        """Return the jobs with these *ids* as a majority has them."""


class SuppressionStore(Protocol):
    """The store of suppressions, as operators manage them."""

    async def read_page(self, after: str, *, most: int, now: datetime) -> list[Suppression]:
        """Return at most *most* suppressions in force at *now* whose addresses follow *after*."""

    async def find_active(
        self, addresses: Collection[str], *, now: datetime
    ) -> Mapping[str, Suppression]:
        """Return the suppressions of *addresses* in any spelling that are in force at *now*."""

    async def add_one(self, suppression: Suppression) -> Suppression:
        """Store *suppression*; if its address is suppressed already, keep its create time."""

    async def remove(self, address: str, *, now: datetime) -> Suppression | None:
        """Remove the suppression of *address*; return it if it was in force at *now*."""


class InFlightJobs(Protocol):
    """The jobs that are being sent."""

    async def find_claimed(self, address: str) -> Sequence[Job]:
        """Return the jobs to *address* that are claimed."""

    async def find_begun(self, ids: Collection[str]) -> Collection[tuple[str, str]]:
        """Return (job id, claim) of those of *ids* whose body has begun and is not concluded."""

    async def change_all(self, pairs: Sequence[tuple[Job, Job]]) -> tuple[int, int]:
        """Change the jobs that are as seen; return how many were changed, and how many not.

        Raises PartialChange, after all other jobs were changed, if some cannot be changed.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedBatch:
    """The number of jobs of a batch erased, and of those skipped as they changed meanwhile.

    *last* is where the next batch starts; None: this was the last one.
    """

    jobs: int
    skipped: int
    last: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedMeetings:
    """How many meetings of a batch are kept because they are not over, though no mail waits.

    *last* is where the next batch starts; None: this was the last one.
    """

    kept: int
    last: str | None


class PersonalData(Protocol):
    """The store of what is known about an employee."""

    async def find_recipient(self, empid: str) -> Recipient | None:
        """Return the user details, or None."""

    async def count_unfinished(self, empid: str) -> int:
        """Count the jobs that have not reached a final state."""

    async def count_erasable(self, empid: str) -> int:
        """Count the jobs that `erase_jobs` would erase."""

    async def erase_jobs(self, empid: str, *, after: str, most: int, now: datetime) -> ErasedBatch:
        """Erase at most *most* finished jobs that follow *after*, unless they changed meanwhile."""

    async def erase_meetings(
        self, empid: str, *, after: str, most: int, now: datetime
    ) -> ErasedMeetings:
        """Erase the employee in at most *most* meetings that follow *after*.

        Those that are not over for the employee stay, and those with unfinished mails.
        """

    async def delete_recipient(self, empid: str) -> bool:
        """Delete the user details; return whether there were any."""
