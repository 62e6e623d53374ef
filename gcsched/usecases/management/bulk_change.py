"""Change all jobs of a filter as a caller wishes: batch after batch, each job guarded."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from gcsched.domain.commands import Cancel, Retry, apply, is_applied, is_satisfied
from gcsched.domain.job import RETRYABLE, WITHDRAWABLE, Job, State
from gcsched.domain.job_list import JobFilter, JobListQuery, JobOrder
from gcsched.domain.suppression import Suppression
from gcsched.errors import AdmissionClosed, BulkNotFinished, IllegalTransition, StoreUnavailable
from gcsched.usecases.management.change_job import truncate_to_millisecond
from gcsched.usecases.management.partial_change import PartialChange, make_unchangeable_error
from gcsched.usecases.ports import (
    AdmissionCheck,
    BulkJobChanges,
    Clock,
    JobList,
    JobUpdate,
    Suppressions,
    admit_always,
)
from gcsched.usecases.wakeups import WakeUps

BATCH_SIZE = 500
AFTER_FAILURE_SECONDS = 0.5
MAX_COUNTED = 1_000_000_000
MAX_CLOCK_SKEW = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkChange:
    """Which jobs are to be changed, and how; or only to be counted."""

    filter: JobFilter
    command: Cancel | Retry
    is_dry_run: bool = False

    def is_countable(self, listing: JobListQuery) -> bool:
        """Return whether all that *listing* holds would be changed, so that nobody need look at it.

        Not what is being sent: of some of it the body has begun.
        """
        is_waiting = listing.filter.state not in {None, State.SENDING}
        return self.is_dry_run and is_waiting and isinstance(self.command, Cancel)

    @property
    def is_by_create_time(self) -> bool:
        """Return whether one list in the order of creation holds them all."""
        return bool(self.filter.empid or self.filter.email or self.filter.request_id)

    @property
    def may_return_to_waiting(self) -> bool:
        """Return whether a job may leave SENDING for a list that was read before that one."""
        return not (self.is_by_create_time or self.filter.state) and isinstance(
            self.command, Cancel
        )

    @property
    def states(self) -> Sequence[State]:
        """Return the states of what it may hold, in the order in which most jobs pass them.

        A job that is claimed during the walk is found in a later list then. One that goes back
        is found where the waiting ones are read once more, after the last pass.
        """
        return WITHDRAWABLE if isinstance(self.command, Cancel) else RETRYABLE

    def listings(self) -> Iterator[JobListQuery]:
        """Give the lists that hold them all, each served by an index."""
        job_filter = self.filter
        if self.is_by_create_time:
            yield JobListQuery(filter=job_filter, order=JobOrder.CREATE_TIME_ASC)
            return
        for state in self.states:
            if job_filter.state in {None, state}:
                yield JobListQuery(
                    filter=replace(job_filter, state=state), order=JobOrder.DUE_TIME_ASC
                )


@dataclass(slots=True, kw_only=True)
class BulkChangeProgress:
    """How far a walk is. *left_count* counts what its latest pass changed or lost to others.

    *unconfirmed* are jobs as they were to become by writes that failed: some may have become so.
    *unchangeable* are those that no write can change, with the *problem* of the latest.
    """

    start_time: datetime
    changed: int = 0
    left_count: int = 0
    unconfirmed: list[Job] = field(default_factory=list)
    last_failure: StoreUnavailable | None = None
    unchangeable: dict[str, None] = field(default_factory=dict)
    problem: str = ""

    def confirm(self, ids: Collection[str]) -> None:
        """Forget what failed for *ids* before: it was not made, as their change was made now."""
        self.unconfirmed = [job for job in self.unconfirmed if job.id not in ids]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyBulkChange:
    """Walk through a lot, again and again, until a pass finds nothing to change and loses nothing.

    That pass reads the *majority_list* list, which holds what a majority has: an OK is no belief of a
    node that has lost its majority. To call again is harmless: what is changed already is not of
    the lot any more.
    """

    job_list: JobList
    majority_list: JobList
    store: BulkJobChanges
    suppressions: Suppressions
    wake_ups: WakeUps
    now: Clock
    check_admission: AdmissionCheck = admit_always

    async def apply(self, change: BulkChange, *, within: timedelta) -> int:
        """Change or count a lot within the time the caller has; give how many jobs it was.

        A store that is away is waited for. Raises BulkNotFinished when a part is done at the end of
        that time, StoreUnavailable when nothing is, and StoreRefused when all is done but of jobs
        that cannot be changed.
        """
        progress = BulkChangeProgress(start_time=self.now())
        try:
            async with asyncio.timeout(within.total_seconds()):
                await self._apply_with_retries(change, progress)
        except TimeoutError as error:
            if progress.last_failure and not progress.changed:
                raise progress.last_failure from error
            raise BulkNotFinished(progress.changed, is_changing=not change.is_dry_run) from error
        finally:
            if progress.changed and not change.is_dry_run:
                name, count = type(change.command).__name__.lower(), progress.changed
                structlog.get_logger().info("jobs steered", wish=name, count=count)
        if progress.unchangeable:
            raise make_unchangeable_error(
                [*progress.unchangeable], progress.problem, changed=progress.changed
            )
        return progress.changed

    async def _apply_with_retries(self, change: BulkChange, progress: BulkChangeProgress) -> None:
        while True:
            try:
                return await self._run_passes(change, progress)
            except AdmissionClosed:
                raise
            except StoreUnavailable as error:
                progress.last_failure = error
                if change.is_dry_run:
                    progress.changed = 0  # all are counted anew
                await asyncio.sleep(AFTER_FAILURE_SECONDS)

    async def _run_passes(self, change: BulkChange, progress: BulkChangeProgress) -> None:
        await self._run_pass(self.job_list, change, progress)
        if change.is_dry_run:
            return
        progress.left_count = 1
        while progress.left_count:
            await self._run_pass(self.majority_list, change, progress)
            if not progress.left_count and change.may_return_to_waiting:
                await self._run_pass(self.majority_list, change, progress, is_repeat=True)
        await self._count_unconfirmed(change, progress)

    async def _run_pass(
        self,
        jobs: JobList,
        change: BulkChange,
        progress: BulkChangeProgress,
        *,
        is_repeat: bool = False,
    ) -> None:
        progress.left_count = 0
        for listing in change.listings():
            if is_repeat and listing.filter.state is State.SENDING:
                continue
            if change.is_countable(listing):
                progress.changed += await jobs.count(listing.filter, most=MAX_COUNTED)
            else:
                await self._change_pages(jobs, listing, change, progress)

    async def _change_pages(
        self, jobs: JobList, listing: JobListQuery, change: BulkChange, progress: BulkChangeProgress
    ) -> None:
        after, is_last = None, False
        while not is_last:
            page = await jobs.read_page(
                listing, after, most=BATCH_SIZE, is_full=not change.is_dry_run
            )
            await self._change_page(page.jobs, change, progress)
            after, is_last = page.next_cursor, page.next_cursor is None

    async def _change_page(
        self, jobs: Sequence[Job], change: BulkChange, progress: BulkChangeProgress
    ) -> None:
        now = truncate_to_millisecond(self.now())
        if isinstance(change.command, Retry):
            # What has been opened here and ended again meanwhile would go round and round.
            jobs = [job for job in jobs if job.state_time < progress.start_time]
        jobs = [job for job in jobs if job.id not in progress.unchangeable]
        pairs = list(
            plan_changes(jobs, change.command, await self._find_suppressions(jobs), now=now)
        )
        if change.is_dry_run or not pairs:
            progress.changed += len(pairs)
            return
        if isinstance(change.command, Retry):  # they take their dedup keys again
            await self.check_admission()
        changed, lost = await self._write(pairs, progress)
        progress.changed += changed
        if changed == len(pairs):
            progress.confirm({seen.id for seen, _ in pairs})
        # What came after the call may come for ever. Another process's clock may be a bit ahead.
        if any(seen.create_time <= progress.start_time + MAX_CLOCK_SKEW for seen, _ in pairs):
            progress.left_count += changed + lost
        if changed and isinstance(change.command, Retry):
            self.wake_ups.schedule(now)

    async def _write(
        self, pairs: Sequence[JobUpdate], progress: BulkChangeProgress
    ) -> tuple[int, int]:
        try:
            return await self.store.change_all(pairs)
        except StoreUnavailable:
            progress.unconfirmed += [changed for _, changed in pairs]
            raise
        except PartialChange as error:
            progress.unchangeable |= dict.fromkeys(error.unchangeable)
            progress.problem = error.problem
            return error.changed, error.lost

    async def _count_unconfirmed(self, change: BulkChange, progress: BulkChangeProgress) -> None:
        """Count what was changed by writes that failed, each job once."""
        while unconfirmed := progress.unconfirmed[:BATCH_SIZE]:
            found = {
                job.id: job for job in await self.store.find_committed({j.id for j in unconfirmed})
            }
            applied = sum(
                each.id in found and is_applied(each, found[each.id]) for each in unconfirmed
            )
            del progress.unconfirmed[:BATCH_SIZE]
            progress.changed += applied
            if applied and isinstance(change.command, Retry):
                self.wake_ups.schedule(self.now())

    async def _find_suppressions(self, jobs: Sequence[Job]) -> Mapping[str, Suppression]:
        addresses = {job.email for job in jobs if job.state is State.SUPPRESSED}
        return await self.suppressions.find_active(addresses, now=self.now()) if addresses else {}


def plan_changes(
    jobs: Sequence[Job],
    command: Cancel | Retry,
    suppressed: Mapping[str, Suppression],
    *,
    now: datetime,
) -> Iterator[JobUpdate]:
    """Give those of *jobs* that can be changed, with what they become."""
    for job in jobs:
        if is_satisfied(command, job, now=now):
            continue
        try:
            changed = apply(command, job, suppression=suppressed.get(job.email), now=now)
        except IllegalTransition:
            continue
        yield job, changed
