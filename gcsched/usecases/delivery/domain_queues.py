"""Who goes next: mails for a recipient domain that is busy let the others pass."""

import asyncio
from bisect import insort
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from gcsched.domain.due import whole_second
from gcsched.domain.job import Priority
from gcsched.usecases.delivery.deliver import Claimed
from gcsched.usecases.ports import Clock

WAITING_PER_PLACE = 4
MOST_WAITING_PER_PLACE = 250
WORTH_WAITING = timedelta(seconds=2)
SOONEST = timedelta(seconds=1)
LATEST = timedelta(seconds=59)  # rounded up it still lies within what the ringer remembers
MOST_LANES = 1_000
WEIGHT = 1 / 8
URGENT_FIRST = -(2**62)  # before the number of any other

Numbered = tuple[int, Claimed]


@dataclass(slots=True, kw_only=True, eq=False)
class Lane:
    """One domain: who is in a conversation on one of its *places*, and who waits, in order.

    The first *turns* of those who wait have a place as soon as a session is free.
    """

    places: int
    turns: int = 0
    begun: dict[Claimed, datetime] = field(default_factory=dict)
    waiting: list[Numbered] = field(default_factory=list)
    mean: timedelta | None = None
    next_slot: datetime | None = None

    @property
    def taken(self) -> int:
        return len(self.begun) + self.turns

    @property
    def is_full(self) -> bool:
        return self.taken >= self.places

    @property
    def parked(self) -> int:
        return len(self.waiting) - self.turns

    def note(self, duration: timedelta) -> None:
        """Let the running mean follow the mails of this domain."""
        duration = max(duration, timedelta(0))
        known = duration if self.mean is None else self.mean
        self.mean = known + (duration - known) * WEIGHT

    def duration(self, now: datetime) -> timedelta:
        """Guess how long a mail takes; not less than all that are begun have taken already."""
        mean = self.mean or timedelta(0)
        if len(self.begun) < self.places:
            return mean
        return max(mean, now - max(self.begun.values()))

    def may_wait(self, now: datetime, *, is_urgent: bool) -> bool:
        """Tell whether one more may wait here: a few for each place, more where it is quick.

        Of urgent ones as many again: those that wait already are not before them.
        """
        most = WAITING_PER_PLACE
        if self.mean is not None:
            duration = max(self.duration(now), WORTH_WAITING / MOST_WAITING_PER_PLACE)
            most = max(most, int(WORTH_WAITING / duration))
        return self.parked < most * self.places * (1 + is_urgent)

    def slot(self, now: datetime) -> datetime:
        """Guess when the next one that cannot wait here has its turn, each after the other."""
        step = self.duration(now) / self.places
        soonest = now + max(SOONEST, step * self.parked)
        slot = min(max(self.next_slot or soonest, soonest), now + LATEST)
        self.next_slot = min(slot + step, now + LATEST)
        return whole_second(slot)


class Lanes:
    """A queue in which each domain has *limit* places: in conversation or next in turn.

    In order of arrival but for those whose domain is full; urgent ones go before all others. A
    *limit* of 0: nothing but that order.
    """

    def __init__(self, *, limit: int, now: Clock) -> None:
        self._limit = limit
        self._now = now
        self._lanes: dict[str, Lane] = {}
        self._ready: asyncio.PriorityQueue[tuple[int, Claimed | Lane]] = asyncio.PriorityQueue()
        self._numbers = count()
        self._parked = 0

    def parked(self) -> int:
        """Count those that wait for a place in their domain, however many sessions are free."""
        return self._parked

    def put(self, claimed: Claimed) -> datetime | None:
        """Queue *claimed*; or, where too many wait already, give the time to put it off to."""
        is_urgent = claimed.job.priority is Priority.URGENT
        number = next(self._numbers) + (URGENT_FIRST if is_urgent else 0)
        if not self._limit:
            self._ready.put_nowait((number, claimed))
            return None
        lane = self._lane(claimed)
        has_turn = not lane.is_full
        if not (has_turn or lane.may_wait(self._now(), is_urgent=is_urgent)):
            return lane.slot(self._now())
        insort(lane.waiting, (number, claimed))
        lane.turns += has_turn
        self._parked += not has_turn
        if has_turn or (is_urgent and lane.turns):  # it takes the turn of one that waits
            self._ready.put_nowait((number, lane))
        return None

    async def get(self) -> Claimed:
        """Wait for the next; its place is taken until it is `done`."""
        while True:
            number, following = await self._ready.get()
            if isinstance(following, Claimed):
                return following
            # An urgent one may have had the turn of this one, who gets another number then.
            if following.turns and following.waiting[0][0] == number:
                following.turns -= 1
                _, claimed = following.waiting.pop(0)
                following.begun[claimed] = self._now()
                return claimed

    def done(self, claimed: Claimed) -> None:
        """Let the next of its domain have the place of *claimed*."""
        if not self._limit:
            return
        lane = self._lane(claimed)
        lane.note(self._now() - lane.begun.pop(claimed))
        if lane.parked:
            number, _ = lane.waiting[lane.turns]
            lane.turns += 1
            self._parked -= 1
            self._ready.put_nowait((number, lane))

    def drain(self) -> list[Claimed]:
        """Take out all that wait."""
        ready = [self._ready.get_nowait() for _ in range(self._ready.qsize())]
        drained = [each for _, each in ready if isinstance(each, Claimed)]
        for lane in self._lanes.values():
            drained += [claimed for _, claimed in lane.waiting]
            lane.waiting.clear()
            lane.turns = 0
        self._parked = 0
        return drained

    def _lane(self, claimed: Claimed) -> Lane:
        domain = claimed.job.email.rpartition("@")[2].lower()
        if (lane := self._lanes.get(domain)) is None:
            if len(self._lanes) >= MOST_LANES:
                self._lanes = {name: each for name, each in self._lanes.items() if each.taken}
            lane = self._lanes[domain] = Lane(places=self._limit)
        return lane
