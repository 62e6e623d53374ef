"""How far a bulk change has come."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from gcsched.domain.actor import Actor
from gcsched.domain.job import Job
from gcsched.errors import StoreUnavailable


@dataclass(slots=True, kw_only=True)
class BulkChangeProgress:
    """The progress of a bulk change by *actor*.

    *unsettled_count* is how many jobs the latest pass changed or lost to other writers.
    *unconfirmed* are jobs as failed writes were to leave them: some of those writes may have taken
    effect. *unchangeable* are jobs that no write can change, *problem* is that of the latest.
    """

    start_time: datetime
    actor: Actor
    changed: int = 0
    unsettled_count: int = 0
    unconfirmed: list[Job] = field(default_factory=list)
    last_failure: StoreUnavailable | None = None
    unchangeable: dict[str, None] = field(default_factory=dict)
    problem: str = ""

    def confirm(self, ids: Collection[str]) -> None:
        """Remove *ids* from the unconfirmed jobs: they were changed now, not by a failed write."""
        self.unconfirmed = [job for job in self.unconfirmed if job.id not in ids]
