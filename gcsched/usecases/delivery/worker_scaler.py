"""The number of workers needed: two for each session, and more while some are stuck."""

import asyncio
from collections.abc import Collection

from gcsched.usecases.delivery.deliver import ClaimedJob

STUCK_AFTER_SECONDS = 20.0


class WorkerScaler:
    """Asks for *size* workers, and one more for each stuck worker, at most *max_extra*.

    A worker is stuck when the body of its mail has been under way for 20 s. The relay may take ten
    minutes for its reply to it (RFC 5321 section 4.5.3.2.6), and other mails should not wait.
    """

    def __init__(self, *, size: int, max_extra: int = 0) -> None:
        self.size = size
        self.max_extra = max_extra
        self._body_started_at: dict[ClaimedJob, float] = {}

    def compute_target(self) -> int:
        """Return the number of workers there should be now."""
        return self.size + self.count_stuck()

    def count_stuck(self) -> int:
        """Return the number of stuck workers that are replaced, at most *max_extra*."""
        if not self.max_extra:
            return 0
        now = asyncio.get_running_loop().time()
        late = sum(
            now - started_at >= STUCK_AFTER_SECONDS for started_at in self._body_started_at.values()
        )
        return min(late, self.max_extra)

    def update(self, begun: Collection[ClaimedJob]) -> None:
        """Record the deliveries whose body is under way now, and since when."""
        now = asyncio.get_running_loop().time()
        self._body_started_at = {
            claimed: self._body_started_at.get(claimed, now) for claimed in begun
        }

    def remove(self, claimed: ClaimedJob) -> None:
        """Forget *claimed*, whose delivery has ended."""
        self._body_started_at.pop(claimed, None)
