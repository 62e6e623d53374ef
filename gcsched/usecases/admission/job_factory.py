"""Make the job that a request asks for."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from gcsched.domain.dedup import AdmissionAnswer, DedupRule, fingerprint, is_new_job
from gcsched.domain.ids import new_id
from gcsched.domain.job import Job, Priority, State
from gcsched.domain.request import MeetRequest, RequestContext, validate_request
from gcsched.errors import InvalidRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One caller's job on its way into the store; if it comes *late_error*, only to be found there.

    The caller waits *deadline* that ``time.monotonic()``.
    """

    job: Job
    deadline: float
    late_error: InvalidRequest | None = None

    @property
    def is_late(self) -> bool:
        return self.late_error is not None

    def answer(self, found: AdmissionAnswer) -> AdmissionAnswer | InvalidRequest:
        """Answer the caller; a job that would be new and comes too late is refused."""
        return self.late_error if self.late_error is not None and is_new_job(found) else found


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFactory:
    context: RequestContext
    dedup: DedupRule
    message_id_domain: str
    keep_trying: timedelta

    def create(self, raw: MeetRequest, *, now: datetime) -> Job:
        """Make the job of *raw*; raises InvalidRequest with all that is wrong."""
        request = validate_request(raw, now=now, context=self.context)
        day = self.context.daily_plan.next_run_day(now) if request.is_daily else None
        schedule_time = self.context.schedule_time(request, now=now)
        job_id = new_id(now)
        return Job(
            id=job_id,
            state=State.SCHEDULED if day is None else State.QUEUED,
            empid=request.empid,
            email=request.email,
            message=request.message,
            name=request.name,
            create_time=now,
            schedule_time=schedule_time,
            due_time=schedule_time,
            expire_time=self._expire_time(request, schedule_time),
            has_own_expire_time=request.not_after > 0,
            state_time=now,
            message_id=f"{job_id}@{self.message_id_domain}",
            dedup_key=self.dedup.key(request, daily=day),
            dedup_until=self.dedup.dedup_until(now),
            template=request.template,
            variables=request.variables,
            labels=request.labels,
            reply_to=request.reply_to,
            request_id=request.request_id,
            fingerprint=fingerprint(request) if request.request_id else "",
            priority=request.priority or Priority.NORMAL,
        )

    def create_submission(
        self, raw: MeetRequest, *, now: datetime, deadline: float
    ) -> Submission | InvalidRequest:
        """Make the submission of *raw*, also where it was to be asked for before its ``not_after``.

        Whoever repeats a call is to be told of the job it made in time.
        """
        try:
            return Submission(job=self.create(raw, now=now), deadline=deadline)
        except InvalidRequest as error:
            job = self._create_before_expiry(raw, now)
            error = error.with_traceback(None)  # it would keep the whole request
            return (
                error if job is None else Submission(job=job, deadline=deadline, late_error=error)
            )

    def _create_before_expiry(self, raw: MeetRequest, now: datetime) -> Job | None:
        if not 0 < raw.not_after <= now.timestamp():
            return None
        expire_time = datetime.fromtimestamp(raw.not_after, UTC)
        if raw.timestamp == 0:
            daily = self.context.daily_plan
            expire_time = daily.run_time(daily.last_run_day(expire_time)) - timedelta(seconds=1)
        try:
            return replace(self.create(raw, now=expire_time), create_time=now)
        except InvalidRequest:
            return None

    def _expire_time(self, request: MeetRequest, schedule_time: datetime) -> datetime:
        if request.not_after:
            return datetime.fromtimestamp(request.not_after, UTC)
        return schedule_time + self.keep_trying
