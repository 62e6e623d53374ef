"""The delivery engine: claim what is due while there is room, and hand it to the crew."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from gcsched.domain.ids import new_id
from gcsched.errors import StoreUnavailable
from gcsched.usecases.delivery.deliver import Claimed
from gcsched.usecases.delivery.leases import Leases
from gcsched.usecases.delivery.worker_pool import Crew
from gcsched.usecases.lasting_trouble import LastingTrouble
from gcsched.usecases.loops import cancel_until_done, finish
from gcsched.usecases.ports import (
    Batch,
    Claims,
    Clock,
    Gate,
    Observer,
    Step,
    Suppressions,
    Unobserved,
)

BETWEEN_LOOKS_SECONDS = 0.01
BETWEEN_URGENT_SECONDS = 0.1
LOOKS_WITHOUT_CLAIM = 50
AFTER_FAILURE_SECONDS = 0.5
LONGEST_CLAIM = timedelta(seconds=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Claim at every nudge. A nudge says that something may be due; what, is asked of the store.

    A claim takes *bite* jobs at most: the first mails leave while the next ones are claimed, and
    replicas that wake together share a second evenly. *ring_for_others* is called when more is
    due than this process took. The *gate* says how many mails may leave; shut, nothing is claimed.
    """

    claims: Claims
    suppressions: Suppressions
    leases: Leases
    crew: Crew
    gate: Gate
    bite: int
    ring_for_others: Callable[[], None]
    now: Clock
    nudged: asyncio.Event = field(default_factory=asyncio.Event)
    observer: Observer = field(default_factory=Unobserved)
    _unheard: list[str] = field(default_factory=list, init=False)
    _trouble: LastingTrouble = field(
        default_factory=partial(LastingTrouble, event="claiming waits", over="claiming resumed"),
        init=False,
    )

    def nudge(self) -> None:
        self.nudged.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Claim until *stop*; then the crew finishes what has begun and gives back the rest."""
        async with asyncio.TaskGroup() as tasks:
            claiming = tasks.create_task(self._claim_at_nudges(), name="claiming")
            await stop.wait()
            self.crew.dismiss()  # what is claimed from now on goes back as well
            await cancel_until_done({claiming})

    async def _claim_at_nudges(self) -> None:
        while True:
            await self.nudged.wait()
            self.nudged.clear()
            try:
                await self.claim_what_is_due()
            except (StoreUnavailable, TimeoutError) as error:
                why = error.for_log if isinstance(error, StoreUnavailable) else "it took too long"
                self._trouble.met(why)
                await asyncio.sleep(AFTER_FAILURE_SECONDS)
                self.nudge()

    async def claim_what_is_due(self) -> None:
        """Claim batch after batch until nothing due is left, or others have it."""
        idle_looks, is_nudged = 0, True
        while idle_looks < LOOKS_WITHOUT_CLAIM:
            await self._wait_for_room(is_nudged=is_nudged)
            is_nudged = False
            await self.gate.wait_open()
            batch = await self._claim_whole()
            if batch is None:
                continue
            self._trouble.ended()
            if batch.saw == 0:
                return
            # Seen but not claimed: others were quicker, or the server's clock is behind ours.
            idle_looks = 0 if batch.jobs else idle_looks + 1
            if not batch.jobs:
                await asyncio.sleep(BETWEEN_LOOKS_SECONDS)

    async def _wait_for_room(self, *, is_nudged: bool) -> None:
        """Wait for room among the claimed; urgent mails come in meanwhile, to go before them."""
        while self.leases.is_short_of_room:
            if is_nudged and self.leases.room_for_urgent > 0:
                await self._claim_whole(urgent_only=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(BETWEEN_URGENT_SECONDS):
                    await self.leases.wait_for_room()
            is_nudged = self.nudged.is_set()
            self.nudged.clear()  # what else it meant is claimed as soon as there is room

    async def _claim_whole(self, *, urgent_only: bool = False) -> Batch | None:
        # A claim cut off half-way would keep its jobs from everybody for the time of a lease.
        claim = self._claim_what_is_granted(urgent_only=urgent_only)
        return await finish(claim, within=LONGEST_CLAIM)

    async def _claim_what_is_granted(self, *, urgent_only: bool) -> Batch | None:
        """Claim as many as there is room for and the gate lets through; None for nothing at all."""
        room = self.leases.room_for_urgent if urgent_only else self.leases.room
        wanted = max(0, min(room, self.bite))
        granted = await self.gate.grant(wanted) if wanted else 0
        if granted == 0:
            return None
        taken = 0
        try:
            batch, taken = await self._claim_and_hand_over(granted, urgent_only=urgent_only)
        finally:
            await self.gate.refund(granted - taken)
        if granted == wanted and batch.saw > len(batch.jobs):
            self.ring_for_others()
        return batch

    async def _claim_and_hand_over(self, most: int, *, urgent_only: bool) -> tuple[Batch, int]:
        """Claim, and give what was claimed and how many of it the crew took."""
        batch = await self._claim(most, urgent_only=urgent_only)
        self.leases.hold(batch)
        if not batch.jobs:
            return batch, 0
        self.observer.batch(Step.CLAIM, len(batch.jobs))
        return batch, await self._hand_over(batch)

    async def _claim(self, most: int, *, urgent_only: bool) -> Batch:
        """Claim; what an earlier claim took whose answer nobody heard is released first."""
        if self._unheard:
            await self.claims.release(self._unheard)
            self._unheard.clear()
        now = self.now()
        self._unheard.append(new_id(now))
        batch = await self.claims.claim(self._unheard[0], most, now=now, urgent_only=urgent_only)
        self._unheard.clear()
        return batch

    async def _hand_over(self, batch: Batch) -> int:
        """Give *batch* to the crew; which addresses are suppressed is looked up once for all."""
        held = [Claimed(job=job, token=batch.token) for job in batch.jobs]
        try:
            addresses = {job.email for job in batch.jobs}
            suppressed = await self.suppressions.among(addresses, now=self.now())
        except BaseException:
            for claimed in held:  # nobody can say what may be sent
                self.crew.give_back(claimed)
            raise
        for claimed in held:
            claimed.suppression = suppressed.get(claimed.job.email)
        return sum(self.crew.put(claimed) for claimed in held)
