"""Change one job as a caller wishes: look, decide, write if it is still as it was seen."""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from gcsched.domain.commands import JobCommand, Retry, apply, is_satisfied
from gcsched.domain.ids import etag_of
from gcsched.domain.job import CLAIMABLE, Job
from gcsched.domain.suppression import Suppression
from gcsched.errors import EtagMismatch, JobContended, StoreUnavailable, UnknownJob
from gcsched.usecases.ports import AdmissionCheck, Clock, JobChanges, Suppressions, admit_always
from gcsched.usecases.wakeups import WakeUps

MAX_TRIES = 5
RACE_INTERVAL_SECONDS = 0.02
RETRY_INTERVAL_SECONDS = 0.1
MIN_WRITE = timedelta(milliseconds=500)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeJob:
    """Carry out one wish: it is in MongoDB for good when this returns.

    A wish that is met already is answered with the job as it is, whatever the etag: so a call may
    be repeated after any error.
    """

    store: JobChanges
    suppressions: Suppressions
    wake_ups: WakeUps
    now: Clock
    check_admission: AdmissionCheck = admit_always

    async def change(
        self, job_id: str, command: JobCommand, *, etag: str, within: timedelta
    ) -> Job:
        """Change the job within the time the caller has.

        Raises UnknownJob, IllegalTransition, EtagMismatch, DuplicateJob, Contended,
        AdmissionClosed or StoreUnavailable.
        """
        until = time.monotonic() + within.total_seconds()
        try:
            async with asyncio.timeout(within.total_seconds()):
                if isinstance(command, Retry):  # it takes its dedup key again
                    await self.check_admission()
                job = await self._change_with_retries(job_id, command, etag, until)
        except TimeoutError as error:
            raise StoreUnavailable("changing the job") from error
        if job.state in CLAIMABLE:
            await self.wake_ups.schedule_and_wait(job.due_time)
        return job

    async def _change_with_retries(
        self, job_id: str, command: JobCommand, etag: str, until: float
    ) -> Job:
        """Look again after a lost race, LOOKS times at most; a silent store is asked on."""
        tries = 0
        while tries < MAX_TRIES:
            try:
                job = await self._change_once(job_id, command, etag, until)
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
        self, job_id: str, command: JobCommand, etag: str, until: float
    ) -> Job | None:
        """Look, decide and write once; None when the job changed in between."""
        job, now = await self.store.find(job_id), truncate_to_millisecond(self.now())
        if job is None:
            raise UnknownJob(job_id)
        if is_satisfied(command, job, now=now):
            if not await self.store.is_committed(job):
                raise StoreUnavailable("waiting for a majority")
            return job
        if etag and etag != etag_of(job):
            raise EtagMismatch(job_id)
        suppression = await self._find_suppression(job) if isinstance(command, Retry) else None
        changed = apply(command, job, suppression=suppression, now=now)
        left = timedelta(seconds=until - time.monotonic())
        if not await self.store.change(job, changed, within=max(left, MIN_WRITE)):
            return None
        name = type(command).__name__.lower()
        log = structlog.get_logger()
        log.info("job steered", job_id=job_id, wish=name, was=job.state.value)
        return changed

    async def _find_suppression(self, job: Job) -> Suppression | None:
        return (await self.suppressions.find_active([job.email], now=self.now())).get(job.email)


def truncate_to_millisecond(now: datetime) -> datetime:
    """Give *now* as it will be read again: no store of ours keeps more of it."""
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
