"""Make the job that a request asks for."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from gcsched.domain.dedup import AdmissionAnswer, DedupRule, fingerprint, is_new_job
from gcsched.domain.ids import new_id
from gcsched.domain.job import Job, Priority, State
from gcsched.domain.request import MeetRequest, Offer, validated
from gcsched.errors import InvalidRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One caller's job on its way into the store; if it comes *too_late*, only to be found there.

    The caller waits *until* that ``time.monotonic()``.
    """

    job: Job
    until: float
    too_late: InvalidRequest | None = None

    @property
    def is_late(self) -> bool:
        return self.too_late is not None

    def answer(self, found: AdmissionAnswer) -> AdmissionAnswer | InvalidRequest:
        """Answer the caller; a job that would be new and comes too late is refused."""
        return self.too_late if self.too_late is not None and is_new_job(found) else found


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFactory:
    offer: Offer
    dedup: DedupRule
    message_id_domain: str
    keep_trying: timedelta

    def __call__(self, raw: MeetRequest, *, now: datetime) -> Job:
        """Make the job of *raw*; raises InvalidRequest with all that is wrong."""
        request = validated(raw, now=now, offer=self.offer)
        day = self.offer.daily.next_day(now) if request.is_daily else None
        due_at = self.offer.due_at(request, now=now)
        job_id = new_id(now)
        return Job(
            id=job_id,
            state=State.SCHEDULED if day is None else State.QUEUED,
            empid=request.empid,
            email=request.email,
            message=request.message,
            name=request.name,
            create_time=now,
            schedule_time=due_at,
            due_time=due_at,
            expire_time=self._not_after(request, due_at),
            has_own_expire_time=request.not_after > 0,
            state_time=now,
            message_id=f"{job_id}@{self.message_id_domain}",
            dedup_key=self.dedup.key(request, daily=day),
            dedup_until=self.dedup.until(now),
            template=request.template,
            variables=request.variables,
            labels=request.labels,
            reply_to=request.reply_to,
            request_id=request.request_id,
            fingerprint=fingerprint(request) if request.request_id else "",
            priority=request.priority or Priority.NORMAL,
        )

    def submission(
        self, raw: MeetRequest, *, now: datetime, until: float
    ) -> Submission | InvalidRequest:
        """Make the submission of *raw*, also where it was to be asked for before its ``not_after``.

        Whoever repeats a call is to be told of the job it made in time.
        """
        try:
            return Submission(job=self(raw, now=now), until=until)
        except InvalidRequest as wrong:
            job = self._in_time(raw, now)
            wrong = wrong.with_traceback(None)  # it would keep the whole request
            return wrong if job is None else Submission(job=job, until=until, too_late=wrong)

    def _in_time(self, raw: MeetRequest, now: datetime) -> Job | None:
        if not 0 < raw.not_after <= now.timestamp():
            return None
        then = datetime.fromtimestamp(raw.not_after, UTC)
        if raw.timestamp == 0:
            daily = self.offer.daily
            then = daily.instant(daily.last_day(then)) - timedelta(seconds=1)
        try:
            return replace(self(raw, now=then), create_time=now)
        except InvalidRequest:
            return None

    def _not_after(self, request: MeetRequest, due_at: datetime) -> datetime:
        if request.not_after:
            return datetime.fromtimestamp(request.not_after, UTC)
        return due_at + self.keep_trying
