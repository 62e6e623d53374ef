"""Bulk changes: apply one command to all jobs of a filter in batches, if they are still as read."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from gcsched.domain.actor import Actor
from gcsched.domain.commands import Cancel, Retry, apply, is_applied, is_satisfied
from gcsched.domain.job import RETRYABLE, WITHDRAWABLE, Job, State
from gcsched.domain.job_list import JobFilter, JobListQuery, JobOrder
from gcsched.domain.job_steps import add_step, find_reason
from gcsched.domain.suppression import Suppression
from gcsched.errors import AdmissionClosed, BulkNotFinished, IllegalTransition, StoreUnavailable
from gcsched.usecases.management.bulk_progress import BulkChangeProgress
from gcsched.usecases.management.partial_change import PartialChange, make_unchangeable_error
from gcsched.usecases.ports import (
    AdmissionCheck,
    BulkJobChanges,
    Clock,
    JobList,
    JobMeetings,
    JobUpdate,
    NoMeetings,
    OnCount,
    Suppressions,
    admit_always,
    ignore_count,
)
from gcsched.usecases.stored_time import truncate_to_millisecond
from gcsched.usecases.wakeups import WakeUps

BATCH_SIZE = 500  # jobs in one write
AFTER_FAILURE_SECONDS = 0.5
MAX_COUNTED = 1_000_000_000
MAX_CLOCK_SKEW = timedelta(seconds=2)  # between the clocks of two processes
BULK_EVENTS = {Cancel: "jobs cancelled", Retry: "jobs retried"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkChange:
    """A command for all jobs of a filter; with *is_dry_run* they are only counted."""

    filter: JobFilter
    command: Cancel | Retry
    is_dry_run: bool = False

    def is_countable(self, listing: JobListQuery) -> bool:
        """Return whether every job of *listing* would be changed: the store just counts them.

        Jobs in SENDING are excluded: those whose body has begun cannot be cancelled.
        """
        is_waiting = listing.filter.state not in {None, State.SENDING}
        return self.is_dry_run and is_waiting and isinstance(self.command, Cancel)

    @property
    def is_by_create_time(self) -> bool:
        """Return whether one list, in order of creation, holds all the jobs."""
        named = self.filter
        return bool(named.empid or named.email or named.request_id or named.meeting_id)

    @property
    def may_return_to_waiting(self) -> bool:
        """Return whether a job may leave SENDING for a list that was read before."""
        return not (self.is_by_create_time or self.filter.state) and isinstance(
            self.command, Cancel
        )

    @property
    def states(self) -> Sequence[State]:
        """Return the states to change, in the order in which most jobs pass through them.

        So a job that is claimed during the pass is found in a later list. A job that is given back
        is found when the lists of waiting jobs are read once more, after the last pass.
        """
        return WITHDRAWABLE if isinstance(self.command, Cancel) else RETRYABLE

    def listings(self) -> Iterator[JobListQuery]:
        """Yield the lists that hold all the jobs, each of which an index serves."""
        job_filter = self.filter
        if self.is_by_create_time:
            yield JobListQuery(filter=job_filter, order=JobOrder.CREATE_TIME_ASC)
            return
        for state in self.states:
            if job_filter.state in {None, state}:
                yield JobListQuery(
                    filter=replace(job_filter, state=state), order=JobOrder.DUE_TIME_ASC
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyBulkChange:
    """Passes over all jobs of a bulk change until a pass finds nothing to change and loses no race.

    The last pass reads *majority_list*, with read concern majority: success must not rest on a node
    that has lost its majority. Calling again is harmless: changed jobs do not match any more.
    """

    job_list: JobList
    majority_list: JobList
    store: BulkJobChanges
    suppressions: Suppressions
    wake_ups: WakeUps
    now: Clock
    check_admission: AdmissionCheck = admit_always
    meetings: JobMeetings = field(default_factory=NoMeetings)

    async def apply(
        self,
        change: BulkChange,
        *,
        actor: Actor,
        within: timedelta,
        on_count: OnCount = ignore_count,
    ) -> int:
        """Change or count the jobs that the actor may see; return how many jobs it was.

        *on_count* is called with that number at the end, also when it raises.
        While the store is away it is retried. When the time of the caller is over it raises
        BulkNotFinished if some jobs were changed, or StoreUnavailable if none was. Raises
        StoreRefused when all jobs are changed except those that cannot be.
        """
        visible = change.filter.visible_to(actor.client)
        if visible is None:
            return 0
        change = replace(change, filter=visible)
        progress = BulkChangeProgress(start_time=self.now(), actor=actor)
        try:
            async with asyncio.timeout(within.total_seconds()):
                await self._apply_with_retries(change, progress)
        except TimeoutError as error:
            if progress.last_failure and not progress.changed:
                raise progress.last_failure from error
            raise BulkNotFinished(progress.changed, is_changing=not change.is_dry_run) from error
        finally:
            on_count(progress.changed)
            if progress.changed and not change.is_dry_run:
                event = BULK_EVENTS[type(change.command)]
                structlog.get_logger().info(event, count=progress.changed, client=actor.name)
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
                raise  # an index is missing: that does not end within the time of a call
            except StoreUnavailable as error:
                progress.last_failure = error
                if change.is_dry_run:
                    progress.changed = 0  # the next try counts from the start
                await asyncio.sleep(AFTER_FAILURE_SECONDS)

    async def _run_passes(self, change: BulkChange, progress: BulkChangeProgress) -> None:
        # The first pass need not read what a majority has: it changes most of the jobs.
        await self._run_pass(self.job_list, change, progress)
        if change.is_dry_run:
            return
        progress.unsettled_count = 1
        while progress.unsettled_count:
            await self._run_pass(self.majority_list, change, progress)
            # A job that was given back after its list was read waits in a list that was read.
            if not progress.unsettled_count and change.may_return_to_waiting:
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
        progress.unsettled_count = 0
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
            # A job that was retried here and has failed again would be retried forever.
            jobs = [job for job in jobs if job.state_time < progress.start_time]
        jobs = [job for job in jobs if job.id not in progress.unchangeable]
        suppressed = await self._find_suppressions(jobs)
        pairs = [
            (job, add_step(job, changed, progress.actor, reason=find_reason(change.command)))
            for job, changed in plan_changes(jobs, change.command, suppressed, now=now)
        ]
        if isinstance(change.command, Retry):
            superseded = await self.meetings.find_objections([job for job, _ in pairs])
            pairs = [(job, changed) for job, changed in pairs if job.id not in superseded]
        if change.is_dry_run or not pairs:
            progress.changed += len(pairs)
            return
        if isinstance(change.command, Retry):  # a retried job takes its dedup key again
            await self.check_admission()
        changed, lost = await self._write(pairs, progress)
        progress.changed += changed
        if changed == len(pairs):
            progress.confirm({seen.id for seen, _ in pairs})
        # Jobs created after the call are changed, but do not keep it going: there may always be
        # new ones. A job of the call itself may seem newer by the clock of another process.
        if any(seen.create_time <= progress.start_time + MAX_CLOCK_SKEW for seen, _ in pairs):
            progress.unsettled_count += changed + lost
        if changed and isinstance(change.command, Retry):
            self.wake_ups.schedule(now)

    async def _write(
        self, pairs: Sequence[JobUpdate], progress: BulkChangeProgress
    ) -> tuple[int, int]:
        try:
            return await self.store.change_all(pairs)
        except StoreUnavailable:  # some may be changed nevertheless
            progress.unconfirmed += [changed for _, changed in pairs]
            raise
        except PartialChange as error:
            progress.unchangeable |= dict.fromkeys(error.unchangeable)
            progress.problem = error.problem
            return error.changed, error.lost
        finally:
            self.meetings.notice([changed for _, changed in pairs])

    async def _count_unconfirmed(self, change: BulkChange, progress: BulkChangeProgress) -> None:
        """Count the jobs that failed writes did change, each job once."""
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
    """Yield those of *jobs* that can be changed, each with what it becomes."""
    for job in jobs:
        if is_satisfied(command, job, now=now):
            continue
        try:
            changed = apply(command, job, suppression=suppressed.get(job.email), now=now)
        except IllegalTransition:
            continue
        yield job, changed
