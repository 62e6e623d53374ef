"""Who goes next: mails for a recipient domain that is busy let the others pass."""

import asyncio
from bisect import insort
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from gcsched.domain.due import round_up_to_second
from gcsched.domain.job import Priority
from gcsched.usecases.delivery.deliver import ClaimedJob
from gcsched.usecases.ports import Clock

WAITING_PER_SLOT = 4
MAX_WAITING_PER_SLOT = 250
ACCEPTABLE_WAIT = timedelta(seconds=2)
MIN_DELAY = timedelta(seconds=1)
MAX_DELAY = timedelta(seconds=59)  # rounded up it still lies within what the ringer remembers
MAX_QUEUES = 1_000
MEAN_WEIGHT = 1 / 8
URGENT_FIRST = -(2**62)  # before the number of any other

NumberedJob = tuple[int, ClaimedJob]


@dataclass(slots=True, kw_only=True, eq=False)
class DomainQueue:
    """One domain: who is in a conversation on one of its *slots*, and who waits, in order.

    The first *reserved_slots* of those who wait have a place as soon as a session is free.
    """

    slots: int
    reserved_slots: int = 0
    begun: dict[ClaimedJob, datetime] = field(default_factory=dict)
    entries: list[NumberedJob] = field(default_factory=list)
    mean_duration: timedelta | None = None
    next_start_time: datetime | None = None

    @property
    def used_slots(self) -> int:
        return len(self.begun) + self.reserved_slots

    @property
    def is_full(self) -> bool:
        return self.used_slots >= self.slots

    @property
    def waiting_for_slot(self) -> int:
        return len(self.entries) - self.reserved_slots

    def record_duration(self, duration: timedelta) -> None:
        """Let the running mean follow the mails of this domain."""
        duration = max(duration, timedelta(0))
        mean = duration if self.mean_duration is None else self.mean_duration
        self.mean_duration = mean + (duration - mean) * MEAN_WEIGHT

    def estimate_duration(self, now: datetime) -> timedelta:
        """Guess how long a mail takes; not less than all that are begun have taken already."""
        mean = self.mean_duration or timedelta(0)
        if len(self.begun) < self.slots:
            return mean
        return max(mean, now - max(self.begun.values()))

    def may_wait(self, now: datetime, *, is_urgent: bool) -> bool:
        """Tell whether one more may wait here: a few for each place, more where it is quick.

        Of urgent ones as many again: those that wait already are not before them.
        """
        limit = WAITING_PER_SLOT
        if self.mean_duration is not None:
            duration = max(self.estimate_duration(now), ACCEPTABLE_WAIT / MAX_WAITING_PER_SLOT)
            limit = max(limit, int(ACCEPTABLE_WAIT / duration))
        return self.waiting_for_slot < limit * self.slots * (1 + is_urgent)

    def estimate_start_time(self, now: datetime) -> datetime:
        """Guess when the next one that cannot wait here has its turn, each after the other."""
        step = self.estimate_duration(now) / self.slots
        earliest = now + max(MIN_DELAY, step * self.waiting_for_slot)
        start_time = min(max(self.next_start_time or earliest, earliest), now + MAX_DELAY)
        self.next_start_time = min(start_time + step, now + MAX_DELAY)
        return round_up_to_second(start_time)


class DomainQueues:
    """A queue in which each domain has *slots_per_domain* places: in conversation or next in turn.

    In order of arrival but for those whose domain is full; urgent ones go before all others. A
    *slots_per_domain* of 0: nothing but that order.
    """

    def __init__(self, *, slots_per_domain: int, now: Clock) -> None:
        self._slots_per_domain = slots_per_domain
        self._now = now
        self._queues: dict[str, DomainQueue] = {}
        self._ready: asyncio.PriorityQueue[tuple[int, ClaimedJob | DomainQueue]] = (
            asyncio.PriorityQueue()
        )
        self._numbers = count()
        self._waiting_for_slot = 0

    def count_waiting(self) -> int:
        """Count those that wait for a place in their domain, however many sessions are free."""
        return self._waiting_for_slot

    def put(self, claimed: ClaimedJob) -> datetime | None:
        """Queue *claimed*; or, where too many wait already, give the time to put it off to."""
        is_urgent = claimed.job.priority is Priority.URGENT
        number = next(self._numbers) + (URGENT_FIRST if is_urgent else 0)
        if not self._slots_per_domain:
            self._ready.put_nowait((number, claimed))
            return None
        queue = self._queue_of(claimed)
        has_slot = not queue.is_full
        if not (has_slot or queue.may_wait(self._now(), is_urgent=is_urgent)):
            return queue.estimate_start_time(self._now())
        insort(queue.entries, (number, claimed))
        queue.reserved_slots += has_slot
        self._waiting_for_slot += not has_slot
        if has_slot or (is_urgent and queue.reserved_slots):  # it takes the turn of one that waits
            self._ready.put_nowait((number, queue))
        return None

    async def get(self) -> ClaimedJob:
        """Wait for the next; its place is taken until it is `done`."""
        while True:
            number, entry = await self._ready.get()
            if isinstance(entry, ClaimedJob):
                return entry
            # An urgent one may have had the turn of this one, who gets another number then.
            if entry.reserved_slots and entry.entries[0][0] == number:
                entry.reserved_slots -= 1
                _, claimed = entry.entries.pop(0)
                entry.begun[claimed] = self._now()
                return claimed

    def done(self, claimed: ClaimedJob) -> None:
        """Let the next of its domain have the place of *claimed*."""
        if not self._slots_per_domain:
            return
        queue = self._queue_of(claimed)
        queue.record_duration(self._now() - queue.begun.pop(claimed))
        if queue.waiting_for_slot:
            number, _ = queue.entries[queue.reserved_slots]
            queue.reserved_slots += 1
            self._waiting_for_slot -= 1
            self._ready.put_nowait((number, queue))

    def drain(self) -> list[ClaimedJob]:
        """Take out all that wait."""
        ready = [self._ready.get_nowait() for _ in range(self._ready.qsize())]
        drained = [each for _, each in ready if isinstance(each, ClaimedJob)]
        for queue in self._queues.values():
            drained += [claimed for _, claimed in queue.entries]
            queue.entries.clear()
            queue.reserved_slots = 0
        self._waiting_for_slot = 0
        return drained

    def _queue_of(self, claimed: ClaimedJob) -> DomainQueue:
        domain = claimed.job.email.rpartition("@")[2].lower()
        if (queue := self._queues.get(domain)) is None:
            if len(self._queues) >= MAX_QUEUES:
                self._queues = {
                    name: each for name, each in self._queues.items() if each.used_slots
                }
            queue = self._queues[domain] = DomainQueue(slots=self._slots_per_domain)
        return queue
