"""Ports of admission: the stores of jobs, meetings and user details; the drafting of mails."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from gcsched.domain.dedup import AdmissionAnswer
from gcsched.domain.job import Job
from gcsched.domain.mail import MailPreview
from gcsched.errors import StoreUnavailable

AdmissionCheck = Callable[[], Awaitable[None]]
"""Called before a dedup key is taken; raises AdmissionClosed while no index keeps it unique."""


async def admit_always() -> None:
    """Admit everything: the default where indexes are not checked."""


class Admissions(Protocol):
    """The store of new jobs."""

    async def admit(self, jobs: Sequence[Job], *, within: timedelta) -> list[AdmissionAnswer]:
        """Store those of *jobs* whose dedup key is free; return for each which job holds it."""

    async def dry_run(self, jobs: Sequence[Job], *, within: timedelta) -> list[AdmissionAnswer]:
        """Return what `admit` would return; store nothing."""


class Recipients(Protocol):
    """The store of user details."""

    async def save(self, jobs: Sequence[Job]) -> None:
        """Store the user details of *jobs*."""


class NewMeetings(Protocol):
    """The store of meetings, as admission writes it."""

    async def record(
        self, jobs: Sequence[Job], replayed: Sequence[tuple[str, str]], *, within: timedelta
    ) -> Mapping[str, StoreUnavailable]:
        """Store the meetings of *jobs*, and those of earlier jobs that are missing.

        *replayed* are pairs of such a job's id and its meeting's id. What is stored stays as it is.
        Returns meeting id → error for those that are not stored.
        """


class Drafter(Protocol):
    """Renders mails for previews."""

    def draft(self, job: Job) -> MailPreview:
        """Return the mail of *job*. Raises TemplateProblem when its template rejects its data."""
