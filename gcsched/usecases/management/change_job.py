"""Change one job as a caller wishes: look, decide, write if it is still as it was seen."""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from gcsched.domain.commands import Reopen, Wish, carried_out, is_met
from gcsched.domain.ids import etag_of
from gcsched.domain.job import CLAIMABLE, Job
from gcsched.domain.suppression import Suppression
from gcsched.errors import Contended, EtagMismatch, StoreUnavailable, UnknownJob
from gcsched.usecases.ports import Clock, MayAdmit, Steering, Suppressions, admit_always
from gcsched.usecases.wakeups import Ringer

LOOKS = 5
BETWEEN_LOOKS_SECONDS = 0.02
BETWEEN_TRIES_SECONDS = 0.1
SHORTEST_WRITE = timedelta(milliseconds=500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Steer:
    """Carry out one wish: it is in MongoDB for good when this returns.

    A wish that is met already is answered with the job as it is, whatever the etag: so a call may
    be repeated after any error.
    """

    store: Steering
    suppressions: Suppressions
    ringer: Ringer
    now: Clock
    may_admit: MayAdmit = admit_always

    async def __call__(self, job_id: str, wish: Wish, *, etag: str, within: timedelta) -> Job:
        """Change the job within the time the caller has.

        Raises UnknownJob, IllegalTransition, EtagMismatch, DuplicateJob, Contended,
        AdmissionClosed or StoreUnavailable.
        """
        until = time.monotonic() + within.total_seconds()
        try:
            async with asyncio.timeout(within.total_seconds()):
                if isinstance(wish, Reopen):  # it takes its dedup key again
                    await self.may_admit()
                job = await self._insist(job_id, wish, etag, until)
        except TimeoutError as error:
            raise StoreUnavailable("changing the job") from error
        if job.state in CLAIMABLE:
            await self.ringer.ring(job.due_time)
        return job

    async def _insist(self, job_id: str, wish: Wish, etag: str, until: float) -> Job:
        """Look again after a lost race, LOOKS times at most; a silent store is asked on."""
        looks = 0
        while looks < LOOKS:
            try:
                job = await self._change(job_id, wish, etag, until)
            except StoreUnavailable:
                if time.monotonic() + BETWEEN_TRIES_SECONDS > until:
                    raise
                await asyncio.sleep(BETWEEN_TRIES_SECONDS)
                continue
            if job is not None:
                return job
            looks += 1
            await asyncio.sleep(BETWEEN_LOOKS_SECONDS)
        raise Contended(job_id, LOOKS)

    async def _change(self, job_id: str, wish: Wish, etag: str, until: float) -> Job | None:
        """Look, decide and write once; None when the job changed in between."""
        job, now = await self.store.find(job_id), whole_millisecond(self.now())
        if job is None:
            raise UnknownJob(job_id)
        if is_met(wish, job, now=now):
            if not await self.store.is_settled(job):
                raise StoreUnavailable("waiting for a majority")
            return job
        if etag and etag != etag_of(job):
            raise EtagMismatch(job_id)
        suppression = await self._suppression_of(job) if isinstance(wish, Reopen) else None
        changed = carried_out(wish, job, suppression=suppression, now=now)
        left = timedelta(seconds=until - time.monotonic())
        if not await self.store.change(job, changed, within=max(left, SHORTEST_WRITE)):
            return None
        name = type(wish).__name__.lower()
        log = structlog.get_logger()
        log.info("job steered", job_id=job_id, wish=name, was=job.state.value)
        return changed

    async def _suppression_of(self, job: Job) -> Suppression | None:
        return (await self.suppressions.among([job.email], now=self.now())).get(job.email)


def whole_millisecond(now: datetime) -> datetime:
    """Give *now* as it will be read again: no store of ours keeps more of it."""
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
