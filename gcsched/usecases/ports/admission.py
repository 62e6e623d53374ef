"""What admission needs: where jobs and user details are stored, and how a mail would look."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from gcsched.domain.job import Job, State
from gcsched.domain.mail import Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """The answer to a caller: the job that carries its wish, and whether this call made it.

    *state* and *due* are those of that job as it is stored; None: they cannot be read.
    """

    job_id: str
    is_new: bool
    state: State | None
    due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TooSoon:
    """The answer to a caller whose employee had a notification lately: *job_id* is that one's."""

    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdTaken:
    """The answer to a caller whose request id stands for other content: job *job_id* has it."""

    job_id: str


Admission = Admitted | TooSoon | IdTaken


class Admissions(Protocol):
    async def admit(self, jobs: Sequence[Job], *, within: timedelta) -> list[Admission]:
        """Store those of *jobs* whose key is free; say for each which job holds its key."""

    async def foresee(self, jobs: Sequence[Job], *, within: timedelta) -> list[Admission]:
        """Say what `admit` would; store nothing."""


class Recipients(Protocol):
    async def save(self, jobs: Sequence[Job]) -> None:
        """Keep the user details of *jobs*."""


class Drafter(Protocol):
    def draft(self, job: Job) -> Draft:
        """Show the mail of *job*; raises TemplateProblem when its template does not take it."""
