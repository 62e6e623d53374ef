"""Writes user details after the reply: in batches, retried, and never delaying admission."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from gcsched.domain.job import Job
from gcsched.errors import StoreUnavailable
from gcsched.usecases.loops import sleep_unless
from gcsched.usecases.ports import Recipients
from gcsched.usecases.problem_log import ProblemLog

MAX_WAITING = 20_000
MAX_BATCH_SIZE = 500
MAX_DELAY = timedelta(seconds=5)


@dataclass(slots=True, kw_only=True)
class RecipientWriter:
    """Collects jobs whose user details are still to be stored; above MAX_WAITING they are dropped.

    Details that are lost with a killed process come again: every job carries them.
    """

    store: Recipients
    interval: timedelta = timedelta(milliseconds=200)
    _waiting: list[Job] = field(default_factory=list, init=False)
    _batch_size: int = field(default=0, init=False)
    _failures: int = field(default=0, init=False)
    _problem_log: ProblemLog = field(
        default_factory=partial(
            ProblemLog,
            event="user details write failed, retrying",
            end_event="user details writes resumed",
        ),
        init=False,
    )

    def add(self, job: Job) -> None:
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(job)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await sleep_unless(stop, self.delay.total_seconds())
            await self.flush()

    @property
    def delay(self) -> timedelta:
        """Return the wait until the next write: twice as long after each failure, up to 5 s."""
        longer: timedelta = self.interval * (1 << min(self._failures, 20))
        return max(self.interval, min(longer, MAX_DELAY))

    async def flush(self) -> None:
        """Store the waiting details; keep what the store does not take for the next time.

        A batch that failed is tried again unchanged: the store recognizes a repeated batch.
        """
        while self._waiting:
            self._batch_size = self._batch_size or min(len(self._waiting), MAX_BATCH_SIZE)
            try:
                await self.store.save(self._waiting[: self._batch_size])
            except StoreUnavailable as error:
                self._failures += 1
                self._problem_log.record_failure(error.for_log, waiting=len(self._waiting))
                return
            self._problem_log.record_success()
            del self._waiting[: self._batch_size]
            self._batch_size = self._failures = 0
