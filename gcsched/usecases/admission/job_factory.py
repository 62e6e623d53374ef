"""Builds the job that a request describes."""

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from gcsched.domain.access import Client
from gcsched.domain.client_limits import is_counted
from gcsched.domain.dedup import AdmissionResult, DedupRule, fingerprint, is_new_job
from gcsched.domain.ids import new_id
from gcsched.domain.job import Job, Priority, State
from gcsched.domain.meeting import MeetingRevision, Person
from gcsched.domain.request import MeetRequest, RequestContext, validate_request
from gcsched.errors import GcschedError, InvalidRequest


class Submission(Struct, frozen=True, kw_only=True):
    """One caller's job on its way into the store.

    A job with a *late_error* came after its expire time: it is only looked up, not stored.
    *deadline* is until when the caller waits, by ``time.monotonic()``. *counted_for* is its client
    if that has a limit of jobs.
    """

    job: Job
    deadline: float
    late_error: InvalidRequest | None = None
    counted_for: Client | None = None

    @property
    def is_late(self) -> bool:
        return self.late_error is not None

    def answer(self, found: AdmissionResult | GcschedError) -> AdmissionResult | GcschedError:
        """Return the caller's answer; refuse a job that would be new and comes too late."""
        return self.late_error if self.late_error is not None and is_new_job(found) else found


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFactory:
    """Builds jobs by the rules of one service."""

    context: RequestContext
    dedup: DedupRule
    message_id_domain: str
    keep_trying: timedelta
    organizer: Person
    zone_version: str

    def for_previews(self) -> "JobFactory":
        """Return the factory for mails that are not sent: it allows all recipients."""
        context = dataclasses.replace(self.context, allowed_recipients=None)
        return dataclasses.replace(self, context=context)

    def create(self, raw: MeetRequest, *, now: datetime, client: Client) -> Job:
        """Build the job of *raw* for *client*. Raises InvalidRequest with all its violations."""
        request = validate_request(raw, now=now, context=self.context, client=client)
        day = self.context.daily_plan.next_run_day(now) if request.is_daily else None
        schedule_time = self.context.schedule_time(request, now=now)
        job_id = new_id(now)
        invitation = self._plan_meeting(request, now)
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
            invitation=invitation,
            has_own_expire_time=request.not_after > 0,
            state_time=now,
            message_id=f"{job_id}@{self.message_id_domain}",
            dedup_key=self.dedup.key(request, daily=day, client=client.name),
            dedup_until=self.dedup.dedup_until(now),
            template=request.template,
            variables=request.variables,
            labels=request.labels,
            reply_to=request.reply_to,
            request_id=request.request_id,
            fingerprint=fingerprint(request) if request.request_id else "",
            client=client.name,
            priority=request.priority or Priority.NORMAL,
        )

    def create_submission(
        self, raw: MeetRequest, *, now: datetime, deadline: float, client: Client
    ) -> Submission | InvalidRequest:
        """Build the submission of *raw*, also when its ``not_after`` has passed.

        A caller that repeats a call has to get the job that it made in time.
        """
        try:
            job = self.create(raw, now=now, client=client)
            counted_for = client if is_counted(client.limits) else None
            return Submission(job=job, deadline=deadline, counted_for=counted_for)
        except InvalidRequest as error:
            late = self._create_before_expiry(raw, now, client)
            error = error.with_traceback(None)  # it would keep the request in memory
            return (
                error if late is None else Submission(job=late, deadline=deadline, late_error=error)
            )

    def _create_before_expiry(self, raw: MeetRequest, now: datetime, client: Client) -> Job | None:
        """Build the job as if *raw* had come just before its ``not_after``; None if invalid.

        The job has the dedup key that the call in time had, so it finds the job of that call.
        """
        if not 0 < raw.not_after <= now.timestamp():
            return None
        call_time = datetime.fromtimestamp(raw.not_after, UTC)
        if raw.timestamp == 0:
            # The last daily run before it: a job for that run was accepted before the run started.
            daily = self.context.daily_plan
            call_time = daily.run_time(daily.last_run_day(call_time)) - timedelta(seconds=1)
        try:
            return replace(self.create(raw, now=call_time, client=client), create_time=now)
        except InvalidRequest:
            return None

    def _expire_time(self, request: MeetRequest, schedule_time: datetime) -> datetime:
        if request.not_after:
            return datetime.fromtimestamp(request.not_after, UTC)
        if request.occasion is not None:
            return request.occasion.start
        return schedule_time + self.keep_trying

    def _plan_meeting(self, request: MeetRequest, now: datetime) -> MeetingRevision | None:
        """Return the first revision of the meeting that *request* invites to."""
        if (occasion := request.occasion) is None:
            return None
        meeting_id, sender = new_id(now), self.organizer.email
        organizer = occasion.organizer or self.organizer
        return MeetingRevision(
            meeting_id=meeting_id,
            uid=f"{meeting_id}@{domain_of(organizer.email)}",
            number=1,
            sequence=0,
            stamp=now.replace(microsecond=0),
            start=occasion.start,
            end=occasion.end,
            start_wall=occasion.start_wall,
            end_wall=occasion.end_wall,
            zone=occasion.zone,
            zone_version=self.zone_version,
            summary=request.message,
            location=occasion.location,
            url=occasion.url,
            description=occasion.description,
            organizer=organizer,
            sent_by="" if organizer.email == sender else sender,
        )


def domain_of(address: str) -> str:
    """Return the domain of *address* in ASCII, as a UID has it."""
    return address.rpartition("@")[2]
