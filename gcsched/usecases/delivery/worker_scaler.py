"""How many workers there are to be: one for each session, and relief for those that are stuck."""

import asyncio
from collections.abc import Collection

from gcsched.usecases.delivery.deliver import ClaimedJob

STUCK_AFTER_SECONDS = 20.0


class WorkerScaler:
    """Want *size* workers, and another one for each that is stuck, *max_extra* at most.

    A worker is stuck when the body of its mail has been under way for long. The relay may take ten
    minutes for its reply to that (RFC 5321 section 4.5.3.2.6), and other mails are not to wait.
    """

    def __init__(self, *, size: int, max_extra: int = 0) -> None:
        self.size = size
        self.max_extra = max_extra
        self._since: dict[ClaimedJob, float] = {}

    def compute_target(self) -> int:
        return self.size + self.count_stuck()

    def count_stuck(self) -> int:
        now = asyncio.get_running_loop().time()
        late = sum(now - since >= STUCK_AFTER_SECONDS for since in self._since.values())
        return min(late, self.max_extra)

    def update(self, begun: Collection[ClaimedJob]) -> None:
        """Note which bodies are under way now."""
        now = asyncio.get_running_loop().time()
        self._since = {claimed: self._since.get(claimed, now) for claimed in begun}

    def remove(self, claimed: ClaimedJob) -> None:
        self._since.pop(claimed, None)
