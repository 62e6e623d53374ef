"""The order of sending: jobs to a busy recipient domain let jobs to other domains pass.

A domain that takes long for each mail could occupy all sessions. So each domain has a number of
slots, and a job needs a slot of its domain before it goes to a session:

1. `put` gives the job a slot if one is free: its queue then has one entry in the ready queue.
2. If all slots are in use, the job waits in its domain's queue, outside the ready queue.
3. If too many wait there, `put` returns a time at which to try again, and the claim is undone.
4. `get` takes the next entry of the ready queue; `done` frees the slot for the next job.
"""

import asyncio
from bisect import insort
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from gcsched.domain.due import round_up_to_second
from gcsched.domain.job import Priority
from gcsched.usecases.delivery.deliver import ClaimedJob
from gcsched.usecases.ports import Clock

WAITING_PER_SLOT = 4  # of a domain whose speed is not known, or that is slow
MAX_WAITING_PER_SLOT = 250  # of a domain that takes a mail in 8 ms or less
ACCEPTABLE_WAIT = timedelta(seconds=2)
MIN_DELAY = timedelta(seconds=1)
MAX_DELAY = timedelta(seconds=59)  # rounded up to a second it is still within HORIZON
MAX_QUEUES = 1_000  # idle ones are dropped above this number
MEAN_WEIGHT = 1 / 8  # of the latest mail in the running mean
URGENT_FIRST = -(2**62)  # sorts before the number of any other job

NumberedJob = tuple[int, ClaimedJob]


@dataclass(slots=True, kw_only=True, eq=False)
class DomainQueue:
    """The queue of one domain: *begun* are the jobs being sent, *entries* those that wait.

    The first *reserved_slots* of *entries* have a slot already and wait for a session only.
    *next_start_time* is the earliest time that `estimate_start_time` returns for the next job.
    """

    slots: int
    reserved_slots: int = 0
    begun: dict[ClaimedJob, datetime] = field(default_factory=dict)
    entries: list[NumberedJob] = field(default_factory=list)
    mean_duration: timedelta | None = None
    next_start_time: datetime | None = None

    @property
    def slots_in_use(self) -> int:
        return len(self.begun) + self.reserved_slots

    @property
    def is_full(self) -> bool:
        return self.slots_in_use >= self.slots

    @property
    def waiting_for_slot(self) -> int:
        return len(self.entries) - self.reserved_slots

    def record_duration(self, duration: timedelta) -> None:
        """Include the *duration* of one delivery in the running mean."""
        duration = max(duration, timedelta(0))
        mean = duration if self.mean_duration is None else self.mean_duration
        self.mean_duration = mean + (duration - mean) * MEAN_WEIGHT

    def estimate_duration(self, now: datetime) -> timedelta:
        """Estimate how long a delivery takes.

        With all slots in use it is at least as long as the latest delivery has taken already: a
        domain that has just become slow is noticed before a delivery ends.
        """
        mean = self.mean_duration or timedelta(0)
        if len(self.begun) < self.slots:
            return mean
        return max(mean, now - max(self.begun.values()))

    def may_wait(self, now: datetime, *, is_urgent: bool) -> bool:
        """Return whether one more job may wait here: as many as are sent within ACCEPTABLE_WAIT.

        Urgent jobs have the same number again, as they go before all waiting jobs that are not
        urgent.
        """
        limit = WAITING_PER_SLOT
        if self.mean_duration is not None:
            duration = max(self.estimate_duration(now), ACCEPTABLE_WAIT / MAX_WAITING_PER_SLOT)
            limit = max(limit, int(ACCEPTABLE_WAIT / duration))
        return self.waiting_for_slot < limit * self.slots * (1 + is_urgent)

    def estimate_start_time(self, now: datetime) -> datetime:
        """Estimate when a job that cannot wait here may start; each call returns a later time.

        This spreads jobs that are put off together over the time that the domain needs for them.
        """
        step = self.estimate_duration(now) / self.slots
        earliest = now + max(MIN_DELAY, step * self.waiting_for_slot)
        start_time = min(max(self.next_start_time or earliest, earliest), now + MAX_DELAY)
        self.next_start_time = min(start_time + step, now + MAX_DELAY)
        return round_up_to_second(start_time)


class DomainQueues:
    """The queues of all domains; a domain has *slots_per_domain* slots for jobs in delivery.

    Jobs are taken in order of arrival, urgent ones first, except that a job waits while its domain
    has no free slot. With *slots_per_domain* 0 there are no slots, only that order.
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
        """Return the number of jobs that wait for a slot of their domain, not for a session."""
        return self._waiting_for_slot

    def put(self, claimed: ClaimedJob) -> datetime | None:
        """Add *claimed* to its queue, or return when to try again if too many jobs wait there."""
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
        # An urgent job sorts to the front and so takes over the reserved slot of another one. The
        # ready queue gets an entry with its number; `get` skips the entry of the job that lost it.
        if has_slot or (is_urgent and queue.reserved_slots):
            self._ready.put_nowait((number, queue))
        return None

    async def get(self) -> ClaimedJob:
        """Wait for the next job; it occupies its slot until `done` is called."""
        while True:
            number, entry = await self._ready.get()
            if isinstance(entry, ClaimedJob):
                return entry
            # The number is stale if an urgent job took this slot: that job had its own entry, and
            # `done` adds another one for the job that waits on.
            if entry.reserved_slots and entry.entries[0][0] == number:
                entry.reserved_slots -= 1
                _, claimed = entry.entries.pop(0)
                entry.begun[claimed] = self._now()
                return claimed

    def done(self, claimed: ClaimedJob) -> None:
        """Free the slot of *claimed* for the next job of its domain."""
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
        """Remove and return all jobs that wait."""
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
            # Idle domains are forgotten, their speed included, so that memory stays bounded.
            if len(self._queues) >= MAX_QUEUES:
                self._queues = {
                    name: each for name, each in self._queues.items() if each.slots_in_use
                }
            queue = self._queues[domain] = DomainQueue(slots=self._slots_per_domain)
        return queue
