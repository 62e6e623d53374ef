"""What admission needs: where jobs and user details are stored, and how a mail would look."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Protocol

from gcsched.domain.dedup import AdmissionAnswer
from gcsched.domain.job import Job
from gcsched.domain.mail import MailPreview

AdmissionCheck = Callable[[], Awaitable[None]]
"""Asked before a dedup key is taken; raises AdmissionClosed while nothing would keep it unique."""


async def admit_always() -> None:
    """Admit everything: the default where the indexes are not looked after."""


class Admissions(Protocol):
    async def admit(self, jobs: Sequence[Job], *, within: timedelta) -> list[AdmissionAnswer]:
        """Store those of *jobs* whose key is free; say for each which job holds its key."""

    async def dry_run(self, jobs: Sequence[Job], *, within: timedelta) -> list[AdmissionAnswer]:
        """Say what `admit` would; store nothing."""


class Recipients(Protocol):
    async def save(self, jobs: Sequence[Job]) -> None:
        """Keep the user details of *jobs*."""


class Drafter(Protocol):
    def draft(self, job: Job) -> MailPreview:
        """Show the mail of *job*; raises TemplateProblem when its template does not take it."""
