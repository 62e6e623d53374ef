"""Change all jobs of a filter as a caller wishes: batch after batch, each job guarded."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from gcsched.domain.job import REOPENABLE, WAITING, Job, State
from gcsched.domain.listing import JobFilter, Listing, Order
from gcsched.domain.suppression import Suppression
from gcsched.domain.wishes import Cancel, Reopen, carried_out, is_met
from gcsched.errors import AdmissionClosed, IllegalTransition, NotFinished, StoreUnavailable
from gcsched.usecases.indexes import MayAdmit, always
from gcsched.usecases.ports import Clock, Suppressions
from gcsched.usecases.read_jobs import JobList
from gcsched.usecases.ringer import Ringer

BATCH = 500
MOST_PASSES = 5
AFTER_FAILURE_SECONDS = 0.5
MOST_COUNTED = 1_000_000_000

Pair = tuple[Job, Job]
"""A job as it was seen, and as it is wanted."""


class ManyJobs(Protocol):
    async def change_all(self, pairs: Sequence[Pair]) -> tuple[int, int]:
        """Change jobs that are as they were seen; whose dedup key is taken, stays.

        Gives how many were changed, and how many are to be looked at again.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Which jobs are to be changed, and how; or only to be counted."""

    filter: JobFilter
    wish: Cancel | Reopen
    only_count: bool = False

    @property
    def can_be_counted(self) -> bool:
        """Tell whether all that its lists hold would be changed, so that nobody need look at it."""
        is_by_state = not (self.filter.empid or self.filter.email)
        return self.only_count and is_by_state and isinstance(self.wish, Cancel)

    @property
    def states(self) -> Sequence[State]:
        return WAITING if isinstance(self.wish, Cancel) else REOPENABLE

    def listings(self) -> Iterator[Listing]:
        """Give the lists that hold them all, each served by an index."""
        wanted = self.filter
        if wanted.empid or wanted.email:
            yield Listing(filter=wanted, order=Order.CREATED_ASC)
            return
        for state in self.states:
            if wanted.state in {None, state}:
                yield Listing(filter=replace(wanted, state=state), order=Order.DUE_ASC)


@dataclass(slots=True, kw_only=True)
class Progress:
    began: datetime
    changed: int = 0
    lost: int = 0
    trouble: StoreUnavailable | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeJobs:
    """Walk through a lot; what others changed in the same moment is looked at again.

    To call again is harmless: what is changed already is not of the lot any more.
    """

    list: JobList
    store: ManyJobs
    suppressions: Suppressions
    ringer: Ringer
    now: Clock
    may_admit: MayAdmit = always

    async def __call__(self, lot: Lot, *, within: timedelta) -> int:
        """Change or count a lot within the time the caller has; give how many jobs it was.

        A store that is away is waited for. Raises NotFinished when a part is done at the end of
        that time, StoreUnavailable when nothing is.
        """
        progress = Progress(began=self.now())
        try:
            async with asyncio.timeout(within.total_seconds()):
                if lot.can_be_counted:
                    return await self._count(lot)
                await self._insist(lot, progress)
        except TimeoutError as error:
            if progress.trouble and not progress.changed:
                raise progress.trouble from error
            raise NotFinished(progress.changed, is_changing=not lot.only_count) from error
        finally:
            if progress.changed and not lot.only_count:
                name, count = type(lot.wish).__name__.lower(), progress.changed
                structlog.get_logger().info("jobs steered", wish=name, count=count)
        return progress.changed

    async def _count(self, lot: Lot) -> int:
        counts = [
            await self.list.count(listing.filter, most=MOST_COUNTED) for listing in lot.listings()
        ]
        return sum(counts)

    async def _insist(self, lot: Lot, progress: Progress) -> None:
        while True:
            try:
                return await self._walk_until_none_is_lost(lot, progress)
            except AdmissionClosed:
                raise
            except StoreUnavailable as error:
                progress.trouble = error
                if lot.only_count:
                    progress.changed = 0  # all are counted anew
                await asyncio.sleep(AFTER_FAILURE_SECONDS)

    async def _walk_until_none_is_lost(self, lot: Lot, progress: Progress) -> None:
        for _ in range(MOST_PASSES):
            progress.lost = 0
            for listing in lot.listings():
                await self._walk(listing, lot, progress)
            if not progress.lost:
                return

    async def _walk(self, listing: Listing, lot: Lot, progress: Progress) -> None:
        after, is_last = None, False
        while not is_last:
            page = await self.list.page(listing, after, most=BATCH, is_full=not lot.only_count)
            await self._change(page.jobs, lot, progress)
            after, is_last = page.following, page.following is None

    async def _change(self, jobs: Sequence[Job], lot: Lot, progress: Progress) -> None:
        now = self.now()
        if isinstance(lot.wish, Reopen):
            # What has been opened here and ended again meanwhile would go round and round.
            jobs = [job for job in jobs if job.since < progress.began]
        pairs = list(decided(jobs, lot.wish, await self._suppressed(jobs), now=now))
        if lot.only_count or not pairs:
            progress.changed += len(pairs)
            return
        if isinstance(lot.wish, Reopen):  # they take their dedup keys again
            await self.may_admit()
        changed, lost = await self.store.change_all(pairs)
        progress.changed += changed
        progress.lost += lost
        if changed and isinstance(lot.wish, Reopen):
            self.ringer.ask(now)

    async def _suppressed(self, jobs: Sequence[Job]) -> Mapping[str, Suppression]:
        addresses = {job.email for job in jobs if job.state is State.SUPPRESSED}
        return await self.suppressions.among(addresses, now=self.now()) if addresses else {}


def decided(
    jobs: Sequence[Job],
    wish: Cancel | Reopen,
    suppressed: Mapping[str, Suppression],
    *,
    now: datetime,
) -> Iterator[Pair]:
    """Give those of *jobs* that can be changed, with what they become."""
    for job in jobs:
        if is_met(wish, job, now=now):
            continue
        try:
            changed = carried_out(wish, job, suppression=suppressed.get(job.email), now=now)
        except IllegalTransition:
            continue
        yield job, changed
