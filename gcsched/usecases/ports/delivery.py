"""What delivery needs: claims, what became of them, who may get mail, and the mail itself."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gcsched.domain.job import Job
from gcsched.domain.mail import Mail
from gcsched.domain.suppression import Suppression


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedBatch:
    """Jobs claimed together, and how many due jobs the claim *due_count*.

    *lease_end* is the end of the lease by ``time.monotonic()``, told cautiously.
    """

    token: str
    jobs: tuple[Job, ...]
    lease_end: float
    due_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What became of a claimed job: written only while *claim* still holds it.

    *found_state* is what the job was found to be where the claim was lost; None: it is gone.
    """

    claim: str
    job: Job
    found_state: str | None = field(default=None, compare=False)


class Claims(Protocol):
    async def claim(
        self, token: str, most: int, *, now: datetime, urgent_only: bool = False
    ) -> ClaimedBatch:
        """Claim at most *most* due jobs under *token*, urgent ones first."""

    async def release(self, tokens: Sequence[str]) -> None:
        """Give back uncharged what claims took whose answer nobody heard."""

    async def begin(self, token: str, ids: Sequence[str], *, date: datetime) -> Collection[str]:
        """Mark *ids* as begun if they are still ours; give those that are.

        *date* becomes the Date of their mails where none is stored.
        """

    async def renew(self, tokens: Sequence[str]) -> None:
        """Give the jobs claimed under *tokens* a new lease."""

    async def has_due_jobs(self, *, now: datetime) -> bool:
        """Tell whether anything waits that is due."""


class Outcomes(Protocol):
    async def conclude(self, conclusions: Sequence[Conclusion]) -> Collection[Conclusion]:
        """Write what became of claimed jobs; give those that were not ours any more."""


class Suppressions(Protocol):
    """Addresses that get no mail for a while."""

    async def add(self, suppressions: Sequence[Suppression]) -> None:
        """Keep *suppressions*; the latest one of an address counts."""

    async def find_active(
        self, addresses: Collection[str], *, now: datetime
    ) -> Mapping[str, Suppression]:
        """Give those of *addresses* that are blocked at *now*, in one look."""


class SentMarkerStore(Protocol):
    """Which bodies the relay accepted: proof that outlives a crash before the outcome."""

    async def add(self, marks: Sequence[tuple[str, str]]) -> None:
        """Remember that the relay accepted these (job, claim)."""

    async def remove(self, marks: Sequence[tuple[str, str]]) -> None:
        """Drop what the database knows by now."""

    async def find(self, marks: Sequence[tuple[str, str]]) -> Collection[tuple[str, str]]:
        """Give those of *marks* that were noted; raises RedisUnavailable when nobody can tell."""


class MailComposer(Protocol):
    def compose(self, job: Job) -> Mail:
        """Make the mail of *job*; raises TemplateProblem when its template does not take it."""
