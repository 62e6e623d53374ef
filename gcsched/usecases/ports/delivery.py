"""Ports of delivery: claims, outcomes, suppressions, sent markers, and the composing of mails."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gcsched.domain.job import Job
from gcsched.domain.mail import Mail
from gcsched.domain.suppression import Suppression


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedBatch:
    """Jobs claimed together under *token*; *due_count* is how many due jobs the claim saw.

    *lease_end* is the earliest end of their lease, by ``time.monotonic()``.
    """

    token: str
    jobs: tuple[Job, ...]
    lease_end: float
    due_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """A claimed job as its delivery leaves it; written only while *claim* still holds the job.

    *found_state* is the state of the job in the store if the claim was lost; None: the job is gone.
    """

    claim: str
    job: Job
    found_state: str | None = field(default=None, compare=False)


class Claims(Protocol):
    """The claims on due jobs."""

    async def claim(
        self, token: str, most: int, *, now: datetime, urgent_only: bool = False
    ) -> ClaimedBatch:
        """Claim at most *most* due jobs under *token*, urgent ones first."""

    async def release(self, tokens: Sequence[str]) -> None:
        """Undo the claims with *tokens*, whose answers were lost; the jobs are not charged."""

    async def begin(self, token: str, ids: Sequence[str], *, date: datetime) -> Collection[str]:
        """Mark as begun those of *ids* that *token* still holds, and return them.

        *date* becomes the Date of their mails where no earlier one is stored. Leases stay as they
        are.
        """

    async def renew(self, tokens: Sequence[str]) -> Collection[str]:
        """Extend the leases of the jobs claimed under *tokens*; return those not wholly renewed."""

    async def has_due_jobs(self, *, now: datetime) -> bool:
        """Return whether any waiting job is due."""


class Outcomes(Protocol):
    """The store of outcomes."""

    async def conclude(self, conclusions: Sequence[Conclusion]) -> Collection[Conclusion]:
        """Write what became of claimed jobs; return those whose claim was lost."""


class Suppressions(Protocol):
    """The addresses that get no mail until a time."""

    async def add(self, suppressions: Sequence[Suppression]) -> None:
        """Store *suppressions*; the latest one of an address counts."""

    async def find_active(
        self, addresses: Collection[str], *, now: datetime
    ) -> Mapping[str, Suppression]:
        """Return the suppressions of *addresses* that are in force at *now*, by one query."""


class SentMarkerStore(Protocol):
    """The store of mails that relays accepted: proof that outlives a crash before the outcome."""

    async def write(
        self, *, added: Sequence[tuple[str, str]] = (), removed: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Store a marker for each (job id, claim) that was *added*: the relay accepted its mail.

        The markers that were *removed* belong to jobs whose outcome is stored.
        """

    async def find(self, markers: Sequence[tuple[str, str]]) -> Collection[tuple[str, str]]:
        """Return those of *markers* that are stored; raises RedisUnavailable."""


class MailComposer(Protocol):
    """Builds mails from jobs."""

    def compose(self, job: Job) -> Mail:
        """Return the mail of *job*. Raises TemplateProblem when its template rejects its data."""
