"""Builds the job that a request describes."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from gcsched.domain.access import Client
from gcsched.domain.client_limits import is_counted
from gcsched.domain.dedup import AdmissionResult, DedupRule, fingerprint, is_new_job
from gcsched.domain.event import Occasion, find_start
from gcsched.domain.ids import new_id
from gcsched.domain.job import Job, Priority, State
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meeting_mail import MeetingMail
from gcsched.domain.meetings.mails import make_subject
from gcsched.domain.meetings.samples import make_sample_mail
from gcsched.domain.organizer import encode_domain
from gcsched.domain.request import MeetRequest, RequestContext, validate_request
from gcsched.errors import GcschedError, InvalidRequest


class Submission(Struct, frozen=True, kw_only=True):
    """One caller's job on its way into the store.

    A job with a *late_error* came after its expire time: it is only looked up, not stored.
    *deadline* is until when the caller waits, by ``time.monotonic()``. *counted_for* is its client
    if that has a limit of jobs. *time_note* is the sentence about its meeting for the answer.
    """

    job: Job
    deadline: float
    late_error: InvalidRequest | None = None
    counted_for: Client | None = None
    time_note: str = ""

    @property
    def is_late(self) -> bool:
        return self.late_error is not None

    def answer(self, found: AdmissionResult | GcschedError) -> AdmissionResult | GcschedError:
        """Return the caller's answer; refuse a job that would be new and comes too late."""
        if self.late_error is not None and is_new_job(found):
            return self.late_error
        if self.time_note and isinstance(found, AdmissionResult) and found.is_accepted:
            return replace(found, time_note=self.time_note)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFactory:
    """Builds jobs by the rules of one service.

    *sender_domains* are the Message-ID domains of the senders beside the default one.
    """

    context: RequestContext
    dedup: DedupRule
    message_id_domain: str
    keep_trying: timedelta
    sender_domains: Mapping[str, str] = field(default_factory=dict)
    zone_version: str = ""

    def for_previews(self) -> "JobFactory":
        """Return the factory for mails that are not sent: it allows all recipients."""
        context = dataclasses.replace(self.context, allowed_recipients=None)
        return dataclasses.replace(self, context=context)

    def create(self, raw: MeetRequest, *, now: datetime, client: Client) -> Job:
        """Build the job of *raw* for *client*. Raises InvalidRequest with all its violations."""
        return self.create_with_request(raw, now=now, client=client)[1]

    def create_with_request(
        self, raw: MeetRequest, *, now: datetime, client: Client
    ) -> tuple[MeetRequest, Job]:
        """Return the valid request and its job, as `create` does."""
        request = self._validate(raw, now, client)
        return request, self._build(request, now, client)

    def _validate(self, raw: MeetRequest, now: datetime, client: Client) -> MeetRequest:
        return validate_request(raw, now=now, context=self.context, client=client)

    def _build(self, request: MeetRequest, now: datetime, client: Client) -> Job:
        day = self.context.daily_plan.next_run_day(now) if request.is_daily else None
        schedule_time = self.context.schedule_time(request, now=now)
        sender = self.context.senders.choose(request.sender, client)
        id_domain = self.sender_domains[sender] if sender else self.message_id_domain
        job_id = new_id(now)
        meeting = self._describe_meeting(request, sender, now)
        return Job(
            id=job_id,
            state=State.SCHEDULED if day is None else State.QUEUED,
            empid=request.empid,
            email=request.email,
            message=find_subject(request, meeting),
            name=request.name,
            create_time=now,
            schedule_time=schedule_time,
            due_time=schedule_time,
            expire_time=self._expire_time(request, schedule_time),
            meeting=meeting,
            has_own_expire_time=request.not_after > 0 or request.occasion is not None,
            state_time=now,
            message_id=f"{job_id}@{id_domain}",
            dedup_key=self.dedup.key(request, daily=day, client=client.name),
            dedup_until=self.dedup.dedup_until(now),
            template=request.template,
            variables=request.variables,
            labels=request.labels,
            sender=sender,
            reply_to=request.reply_to,
            request_id=request.request_id,
            fingerprint=fingerprint(request) if request.request_id else "",
            client=client.name,
            priority=request.priority or Priority.NORMAL,
        )

    def create_submission(
        self, raw: MeetRequest, *, now: datetime, deadline: float, client: Client
    ) -> Submission | InvalidRequest:
        """Build the submission of *raw*, also when its ``not_after`` or its start has passed.

        A caller that repeats a call has to get the job that it made in time.
        """
        try:
            request = self._validate(raw, now, client)
            late = None
        except InvalidRequest as error:
            late = error.with_traceback(None)  # it would keep the request in memory
            if (found := self._validate_before_expiry(raw, now, client)) is None:
                return late
            request, call_time = found
        job = self._build(request, now if late is None else call_time, client)
        return Submission(
            job=job if late is None else replace(job, create_time=now),
            deadline=deadline,
            late_error=late,
            counted_for=client if late is None and is_counted(client.limits) else None,
            time_note="" if request.occasion is None else request.occasion.time_note,
        )

    def _validate_before_expiry(
        self, raw: MeetRequest, now: datetime, client: Client
    ) -> tuple[MeetRequest, datetime] | None:
        """Check *raw* as if it had come at its latest time; return it with that, None if invalid.

        The job has the dedup key that the call in time had, so it finds the job of that call.
        """
        call_time = find_last_call_time(raw)
        if call_time is None or call_time > now:
            return None
        if raw.timestamp == 0:
            # The last daily run before it: a job for that run was accepted before the run started.
            daily = self.context.daily_plan
            call_time = daily.run_time(daily.last_run_day(call_time)) - timedelta(seconds=1)
        try:
            return self._validate(raw, call_time, client), call_time
        except InvalidRequest:
            return None

    def _expire_time(self, request: MeetRequest, schedule_time: datetime) -> datetime:
        if request.not_after:
            return datetime.fromtimestamp(request.not_after, UTC)
        if request.occasion is not None:
            return request.occasion.start
        return schedule_time + self.keep_trying

    def _describe_meeting(
        self, request: MeetRequest, sender: str, now: datetime
    ) -> MeetingMail | None:
        """Return what the mail of *request* says about a meeting; None for a mail without one."""
        if request.occasion is None:
            return None
        revision = self._plan_meeting(request, request.occasion, sender, now)
        if request.is_sample:
            return make_sample_mail(revision, request.template)
        return MeetingMail(revision=revision)

    def _plan_meeting(
        self, request: MeetRequest, occasion: Occasion, sender: str, now: datetime
    ) -> MeetingRevision:
        """Return the first revision of the meeting that *request* invites to."""
        meeting_id, organizer = new_id(now), occasion.organizer
        return MeetingRevision(
            meeting_id=meeting_id,
            uid=f"{meeting_id}@{encode_domain(organizer.email.rpartition('@')[2])}",
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
            sent_by=self.context.organizers.of_sender(sender).find_sent_by(organizer),
        )


def find_subject(request: MeetRequest, meeting: MeetingMail | None) -> str:
    """Return the subject of the mail: the message, as a mail about an example would have it."""
    if meeting is None or not request.is_sample:
        return request.message
    return make_subject(meeting, request.message)


def find_last_call_time(raw: MeetRequest) -> datetime | None:
    """Return when *raw* could come at the latest; None if that has no limit, or an invalid one."""
    times = list[datetime]()
    if raw.not_after > 0:
        try:
            times.append(datetime.fromtimestamp(raw.not_after, UTC))
        except (ValueError, OverflowError, OSError):
            return None
    if raw.event is not None and (start := find_start(raw.event)) is not None:
        times.append(start - timedelta(seconds=1))
    return min(times, default=None)
