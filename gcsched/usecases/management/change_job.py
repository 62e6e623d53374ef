"""Changes one job by a command: read it, decide, and write if it has not changed meanwhile."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from gcsched.domain.actor import Actor
from gcsched.domain.commands import (
    Cancel,
    JobCommand,
    Reschedule,
    Resolve,
    Retry,
    apply,
    is_satisfied,
)
from gcsched.domain.ids import etag_of
from gcsched.domain.job import CLAIMABLE, Job
from gcsched.domain.job_steps import add_step, find_reason
from gcsched.domain.meeting_mail import MeetingMail
from gcsched.domain.suppression import Suppression
from gcsched.errors import EtagMismatch, JobContended, JobSuperseded, StoreUnavailable
from gcsched.usecases.management.visible_job import find_visible_job
from gcsched.usecases.ports import (
    AdmissionCheck,
    Clock,
    JobChanges,
    JobMeetings,
    NoMeetings,
    Suppressions,
    admit_always,
)
from gcsched.usecases.stored_time import truncate_to_millisecond
from gcsched.usecases.wakeups import WakeUps

MAX_TRIES = 5  # lost races before the caller is asked to try again
RACE_INTERVAL_SECONDS = 0.02
RETRY_INTERVAL_SECONDS = 0.1
MIN_WRITE = timedelta(milliseconds=500)
EVENTS = {
    Cancel: "job cancelled",
    Reschedule: "job rescheduled",
    Retry: "job retried",
    Resolve: "job resolved",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeJob:
    """Applies one command; a majority of MongoDB's members has the change when `change` returns.

    A command that is satisfied already returns the job as it is, whatever the etag: so a caller may
    repeat a call after any error.
    """

    store: JobChanges
    suppressions: Suppressions
    wake_ups: WakeUps
    now: Clock
    check_admission: AdmissionCheck = admit_always
    meetings: JobMeetings = field(default_factory=NoMeetings)

    async def change(
        self,
        job_id: str,
        command: JobCommand,
        *,
        etag: str,
        within: timedelta,
        actor: Actor,
    ) -> Job:
        """Change the job for *actor* within the time of the caller.

        Raises UnknownJob, IllegalTransition, EtagMismatch, DuplicateJob, JobContended,
        JobSuperseded, AdmissionClosed or StoreUnavailable.
        """
        until = time.monotonic() + within.total_seconds()
        try:
            async with asyncio.timeout(within.total_seconds()):
                if isinstance(command, Retry):  # a retried job takes its dedup key again
                    await self.check_admission()
                job = await self._change_with_retries(job_id, command, etag, until, actor)
                await self._follow_up(job, command, until)
        except TimeoutError as error:
            raise StoreUnavailable("changing the job") from error
        if job.state in CLAIMABLE:
            await self.wake_ups.schedule_and_wait(job.due_time)
        return job

    async def _follow_up(self, job: Job, command: JobCommand, until: float) -> None:
        """Have the meeting of *job* take in the change, before the answer if it was cancelled.

        Also where the job was cancelled before: that call may have ended early.
        """
        if job.meeting is None:
            return
        if isinstance(command, Cancel):
            await self.meetings.reconcile(job, within=timedelta(seconds=until - time.monotonic()))
        else:
            self.meetings.notice([job])

    async def _change_with_retries(
        self, job_id: str, command: JobCommand, etag: str, until: float, actor: Actor
    ) -> Job:
        """Retry after lost races, MAX_TRIES times, and while the store is away, until *until*."""
        tries = 0
        while tries < MAX_TRIES:
            try:
                job = await self._change_once(job_id, command, etag, until, actor)
            except StoreUnavailable:
                if time.monotonic() + RETRY_INTERVAL_SECONDS > until:
                    raise
                await asyncio.sleep(RETRY_INTERVAL_SECONDS)
                continue
            if job is not None:
                return job
            tries += 1
            await asyncio.sleep(RACE_INTERVAL_SECONDS)
        raise JobContended(job_id, MAX_TRIES)

    async def _change_once(
        self, job_id: str, command: JobCommand, etag: str, until: float, actor: Actor
    ) -> Job | None:
        """Read, decide and write once; return None if the job changed in between."""
        job = await find_visible_job(self.store.find, job_id, actor.client)
        now = truncate_to_millisecond(self.now())
        if is_satisfied(command, job, now=now):
            if not await self.store.is_committed(job):
                # What was read may be lost in a failover: it is not confirmed to the caller.
                raise StoreUnavailable("waiting for a majority")
            return job
        if etag and etag != etag_of(job):
            raise EtagMismatch(job_id)
        suppression = await self._find_suppression(job) if isinstance(command, Retry) else None
        changed = apply(command, job, suppression=suppression, now=now)
        if isinstance(command, Retry) and job.meeting is not None:
            await self._require_current(job, job.meeting)
        changed = add_step(job, changed, actor, reason=find_reason(command))
        left = timedelta(seconds=until - time.monotonic())
        # A write that is cancelled early may still take effect, so it gets a minimum of time.
        if not await self.store.change(job, changed, within=max(left, MIN_WRITE)):
            return None
        event = EVENTS[type(command)]
        structlog.get_logger().info(
            event, job_id=job_id, previous_state=job.state.value, client=actor.name
        )
        return changed

    async def _require_current(self, job: Job, mail: MeetingMail) -> None:
        """Raise JobSuperseded if the meeting of *job* does not want this mail any more."""
        if why := await self.meetings.find_supersession(job):
            raise JobSuperseded(job.id, mail.meeting_id, why=why)

    async def _find_suppression(self, job: Job) -> Suppression | None:
        return (await self.suppressions.find_active([job.email], now=self.now())).get(job.email)
