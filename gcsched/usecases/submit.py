"""Accept a request: store the job for good, then ring, then answer."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gcsched.domain.dedup import dedup_key
from gcsched.domain.due import DailyPlan
from gcsched.domain.identity import new_id
from gcsched.domain.job import Job, State
from gcsched.domain.request import MeetRequest, validated
from gcsched.errors import (
    GcschedError,
    InvalidRequest,
    Overloaded,
    Stopping,
    StoreUnavailable,
)
from gcsched.usecases.group import Group
from gcsched.usecases.ports import (
    AdmissionOutcome,
    Admissions,
    Admitted,
    Clock,
    Observer,
    Unobserved,
)
from gcsched.usecases.recipients import RecipientNotes
from gcsched.usecases.ringer import LONGEST_WAIT_FOR_BELL, Ringer

LONGEST_WRITE = timedelta(seconds=3)  # a silent primary leaves time to find the next one
SHORTEST_WRITE = timedelta(seconds=1)
BETWEEN_TRIES_SECONDS = 0.1
REFUSED: Mapping[type[GcschedError], AdmissionOutcome] = {
    InvalidRequest: AdmissionOutcome.INVALID,
    Overloaded: AdmissionOutcome.OVERLOADED,
    Stopping: AdmissionOutcome.STOPPING,
    StoreUnavailable: AdmissionOutcome.UNAVAILABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One caller's job, and the ``time.monotonic()`` until which the caller waits."""

    job: Job
    until: float


@dataclass(frozen=True, slots=True)
class Stored:
    """The caller's answer, and the bell's if it is still out."""

    admitted: Admitted
    rung: asyncio.Future[None] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFactory:
    """Make the job that a valid request asks for."""

    daily: DailyPlan
    message_id_domain: str
    keep_trying: timedelta

    def __call__(self, request: MeetRequest, *, now: datetime) -> Job:
        day = self.daily.next_day(now) if request.is_daily else None
        wanted = self.daily.instant(day) if day else request.asked_for
        job_id = new_id(now)
        due_at = max(wanted, now.replace(microsecond=0))
        return Job(
            id=job_id,
            state=State.QUEUED if day else State.SCHEDULED,
            empid=request.empid,
            email=request.email,
            message=request.message,
            name=request.name,
            created=now,
            due_at=due_at,
            due=due_at,
            not_after=due_at + self.keep_trying,
            since=now,
            message_id=f"{job_id}@{self.message_id_domain}",
            dedup_key=dedup_key(request, daily=day),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionWrite:
    """Store a group of jobs and ring for the new ones; belongs to no caller."""

    admissions: Admissions
    ringer: Ringer
    recipients: RecipientNotes

    async def __call__(self, group: Sequence[Asked]) -> list[Stored]:
        answers = await self._admit(group)
        return [
            Stored(answer, self._follow_up(asked.job) if answer.is_new else None)
            for asked, answer in zip(group, answers, strict=True)
        ]

    async def _admit(self, group: Sequence[Asked]) -> list[Admitted]:
        """Try until the last caller's time is over; the dedup keys make a repetition harmless."""
        jobs = [asked.job for asked in group]
        while True:
            now = time.monotonic()
            left = [asked.until - now for asked in group if asked.until > now]
            within = timedelta(seconds=min(left, default=0.0))
            try:
                return await self.admissions.admit(
                    jobs, within=min(max(within, SHORTEST_WRITE), LONGEST_WRITE)
                )
            except StoreUnavailable:
                if time.monotonic() + BETWEEN_TRIES_SECONDS > max(a.until for a in group):
                    raise
            await asyncio.sleep(BETWEEN_TRIES_SECONDS)

    def _follow_up(self, job: Job) -> asyncio.Future[None] | None:
        self.recipients.note(job)
        return self.ringer.ask(job.due) if job.state is State.SCHEDULED else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Answer one caller: the job that carries its wish is in MongoDB when this returns (P1)."""

    make_job: JobFactory
    group: Group[Asked, Stored]
    now: Clock
    observer: Observer = field(default_factory=Unobserved)

    async def __call__(self, raw: MeetRequest, *, within: timedelta) -> Admitted:
        """Accept *raw* within the time the caller has.

        Raises Overloaded before it looks at the request, InvalidRequest, Stopping or
        StoreUnavailable.
        """
        try:
            admitted = await self._admit(raw, within=within)
        except GcschedError as error:
            self.observer.admission(REFUSED.get(type(error), AdmissionOutcome.INVALID))
            raise
        except asyncio.CancelledError:
            self.observer.admission(AdmissionOutcome.CANCELLED)
            raise
        self.observer.admission(
            AdmissionOutcome.CREATED if admitted.is_new else AdmissionOutcome.REPLAYED
        )
        return admitted

    async def _admit(self, raw: MeetRequest, *, within: timedelta) -> Admitted:
        self.group.check_room()
        now = self.now()
        job = self.make_job(validated(raw, now=now), now=now)
        until = time.monotonic() + within.total_seconds()
        try:
            async with asyncio.timeout(within.total_seconds()):
                stored = await self.group.ask(Asked(job=job, until=until))
        except TimeoutError as error:
            raise StoreUnavailable("storing the job") from error
        if stored.rung is not None:
            await asyncio.wait([stored.rung], timeout=LONGEST_WAIT_FOR_BELL.total_seconds())
        return stored.admitted
