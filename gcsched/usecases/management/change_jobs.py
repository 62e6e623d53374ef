"""Change all jobs of a filter as a caller wishes: batch after batch, each job guarded."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from gcsched.domain.commands import Cancel, Reopen, came_of, carried_out, is_met
from gcsched.domain.job import REOPENABLE, WITHDRAWABLE, Job, State
from gcsched.domain.job_list import JobFilter, Listing, Order
from gcsched.domain.suppression import Suppression
from gcsched.errors import AdmissionClosed, IllegalTransition, NotFinished, StoreUnavailable
from gcsched.usecases.management.change_job import whole_millisecond
from gcsched.usecases.management.partly import PartlyChanged, some_stay
from gcsched.usecases.ports import (
    Clock,
    JobList,
    ManyJobs,
    MayAdmit,
    Pair,
    Suppressions,
    admit_always,
)
from gcsched.usecases.wakeups import Ringer

BATCH = 500
AFTER_FAILURE_SECONDS = 0.5
MOST_COUNTED = 1_000_000_000
MOST_SKEW = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Which jobs are to be changed, and how; or only to be counted."""

    filter: JobFilter
    wish: Cancel | Reopen
    only_count: bool = False

    def can_be_counted(self, listing: Listing) -> bool:
        """Return whether all that *listing* holds would be changed, so that nobody need look at it.

        Not what is being sent: of some of it the body has begun.
        """
        is_waiting = listing.filter.state not in {None, State.SENDING}
        return self.only_count and is_waiting and isinstance(self.wish, Cancel)

    @property
    def is_by_created(self) -> bool:
        """Return whether one list in the order of creation holds them all."""
        return bool(self.filter.empid or self.filter.email or self.filter.request_id)

    @property
    def may_go_back(self) -> bool:
        """Return whether a job may leave SENDING for a list that was read before that one."""
        return not (self.is_by_created or self.filter.state) and isinstance(self.wish, Cancel)

    @property
    def states(self) -> Sequence[State]:
        """Return the states of what it may hold, in the order in which most jobs pass them.

        A job that is claimed during the walk is found in a later list then. One that goes back
        is found where the waiting ones are read once more, after the last pass.
        """
        return WITHDRAWABLE if isinstance(self.wish, Cancel) else REOPENABLE

    def listings(self) -> Iterator[Listing]:
        """Give the lists that hold them all, each served by an index."""
        wanted = self.filter
        if self.is_by_created:
            yield Listing(filter=wanted, order=Order.CREATE_TIME_ASC)
            return
        for state in self.states:
            if wanted.state in {None, state}:
                yield Listing(filter=replace(wanted, state=state), order=Order.DUE_TIME_ASC)


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a walk is. *left* counts what its latest pass changed or lost to others.

    *unconfirmed* are jobs as they were to become by writes that failed: some may have become so.
    *stuck* are those that no write can change, with the *problem* of the latest.
    """

    began: datetime
    changed: int = 0
    left: int = 0
    unconfirmed: list[Job] = field(default_factory=list)
    trouble: StoreUnavailable | None = None
    stuck: dict[str, None] = field(default_factory=dict)
    problem: str = ""

    def confirm(self, ids: Collection[str]) -> None:
        """Forget what failed for *ids* before: it was not made, as their change was made now."""
        self.unconfirmed = [job for job in self.unconfirmed if job.id not in ids]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeJobs:
    """Walk through a lot, again and again, until a pass finds nothing to change and loses nothing.

    That pass reads the *certain* list, which holds what a majority has: an OK is no belief of a
    node that has lost its majority. To call again is harmless: what is changed already is not of
    the lot any more.
    """

    list: JobList
    certain: JobList
    store: ManyJobs
    suppressions: Suppressions
    ringer: Ringer
    now: Clock
    may_admit: MayAdmit = admit_always

    async def __call__(self, lot: Lot, *, within: timedelta) -> int:
        """Change or count a lot within the time the caller has; give how many jobs it was.

        A store that is away is waited for. Raises NotFinished when a part is done at the end of
        that time, StoreUnavailable when nothing is, and StoreRefused when all is done but of jobs
        that cannot be changed.
        """
        progress = Progress(began=self.now())
        try:
            async with asyncio.timeout(within.total_seconds()):
                await self._insist(lot, progress)
        except TimeoutError as error:
            if progress.trouble and not progress.changed:
                raise progress.trouble from error
            raise NotFinished(progress.changed, is_changing=not lot.only_count) from error
        finally:
            if progress.changed and not lot.only_count:
                name, count = type(lot.wish).__name__.lower(), progress.changed
                structlog.get_logger().info("jobs steered", wish=name, count=count)
        if progress.stuck:
            raise some_stay([*progress.stuck], progress.problem, changed=progress.changed)
        return progress.changed

    async def _insist(self, lot: Lot, progress: Progress) -> None:
        while True:
            try:
                return await self._walk_until_nothing_is_left(lot, progress)
            except AdmissionClosed:
                raise
            except StoreUnavailable as error:
                progress.trouble = error
                if lot.only_count:
                    progress.changed = 0  # all are counted anew
                await asyncio.sleep(AFTER_FAILURE_SECONDS)

    async def _walk_until_nothing_is_left(self, lot: Lot, progress: Progress) -> None:
        await self._pass(self.list, lot, progress)
        if lot.only_count:
            return
        progress.left = 1
        while progress.left:
            await self._pass(self.certain, lot, progress)
            if not progress.left and lot.may_go_back:
                await self._pass(self.certain, lot, progress, again=True)
        await self._settle(lot, progress)

    async def _pass(
        self, jobs: JobList, lot: Lot, progress: Progress, *, again: bool = False
    ) -> None:
        progress.left = 0
        for listing in lot.listings():
            if again and listing.filter.state is State.SENDING:
                continue
            if lot.can_be_counted(listing):
                progress.changed += await jobs.count(listing.filter, most=MOST_COUNTED)
            else:
                await self._walk(jobs, listing, lot, progress)

    async def _walk(self, jobs: JobList, listing: Listing, lot: Lot, progress: Progress) -> None:
        after, is_last = None, False
        while not is_last:
            page = await jobs.page(listing, after, most=BATCH, is_full=not lot.only_count)
            await self._change(page.jobs, lot, progress)
            after, is_last = page.following, page.following is None

    async def _change(self, jobs: Sequence[Job], lot: Lot, progress: Progress) -> None:
        now = whole_millisecond(self.now())
        if isinstance(lot.wish, Reopen):
            # What has been opened here and ended again meanwhile would go round and round.
            jobs = [job for job in jobs if job.state_time < progress.began]
        jobs = [job for job in jobs if job.id not in progress.stuck]
        pairs = list(decided(jobs, lot.wish, await self._suppressed(jobs), now=now))
        if lot.only_count or not pairs:
            progress.changed += len(pairs)
            return
        if isinstance(lot.wish, Reopen):  # they take their dedup keys again
            await self.may_admit()
        changed, lost = await self._written(pairs, progress)
        progress.changed += changed
        if changed == len(pairs):
            progress.confirm({seen.id for seen, _ in pairs})
        # What came after the call may come for ever. Another process's clock may be a bit ahead.
        if any(seen.create_time <= progress.began + MOST_SKEW for seen, _ in pairs):
            progress.left += changed + lost
        if changed and isinstance(lot.wish, Reopen):
            self.ringer.ask(now)

    async def _written(self, pairs: Sequence[Pair], progress: Progress) -> tuple[int, int]:
        try:
            return await self.store.change_all(pairs)
        except StoreUnavailable:
            progress.unconfirmed += [changed for _, changed in pairs]
            raise
        except PartlyChanged as error:
            progress.stuck |= dict.fromkeys(error.stuck)
            progress.problem = error.problem
            return error.changed, error.lost

    async def _settle(self, lot: Lot, progress: Progress) -> None:
        """Count what was changed by writes that failed, each job once."""
        while unconfirmed := progress.unconfirmed[:BATCH]:
            found = {job.id: job for job in await self.store.settled({j.id for j in unconfirmed})}
            came = sum(each.id in found and came_of(each, found[each.id]) for each in unconfirmed)
            del progress.unconfirmed[:BATCH]
            progress.changed += came
            if came and isinstance(lot.wish, Reopen):
                self.ringer.ask(self.now())

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
