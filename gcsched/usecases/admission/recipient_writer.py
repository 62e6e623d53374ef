"""Keep user details after the reply: in bulk, tried again, never in the way."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from gcsched.domain.job import Job
from gcsched.errors import StoreUnavailable
from gcsched.usecases.lasting_trouble import LastingTrouble
from gcsched.usecases.loops import sleep_unless
from gcsched.usecases.ports import Recipients

MOST_WAITING = 20_000
MOST_AT_ONCE = 500
LONGEST_PAUSE = timedelta(seconds=5)


@dataclass(slots=True, kw_only=True)
class RecipientNotes:
    """Collect jobs whose user details are still to be kept; a flood is not noted whole.

    What is lost with a killed process is not lost for good: every job carries the same details.
    """

    store: Recipients
    every: timedelta = timedelta(milliseconds=200)
    _waiting: list[Job] = field(default_factory=list, init=False)
    _batch: int = field(default=0, init=False)
    _failures: int = field(default=0, init=False)
    _trouble: LastingTrouble = field(
        default_factory=partial(
            LastingTrouble, event="user details wait", over="user details written"
        ),
        init=False,
    )

    def note(self, job: Job) -> None:
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(job)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await sleep_unless(stop, self.pause.total_seconds())
            await self.save()

    @property
    def pause(self) -> timedelta:
        """How long to wait for the next save: twice as long after each failure."""
        longer: timedelta = self.every * (1 << min(self._failures, 20))
        return max(self.every, min(longer, LONGEST_PAUSE))

    async def save(self) -> None:
        """Keep what waits; what the store does not take waits for the next time.

        A batch that was tried is tried again as it was: the store knows it by that.
        """
        while self._waiting:
            self._batch = self._batch or min(len(self._waiting), MOST_AT_ONCE)
            try:
                await self.store.save(self._waiting[: self._batch])
            except StoreUnavailable as error:
                self._failures += 1
                self._trouble.met(error.for_log, waiting=len(self._waiting))
                return
            self._trouble.ended()
            del self._waiting[: self._batch]
            self._batch = self._failures = 0
