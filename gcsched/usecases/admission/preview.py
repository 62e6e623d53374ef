"""Previews: how a mail would look, with nothing stored."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gcsched.domain.access import Client
from gcsched.domain.client_limits import is_counted, without_recipient_limits
from gcsched.domain.dedup import AdmissionAnswer, AdmissionResult
from gcsched.domain.event import Event
from gcsched.domain.job import Job
from gcsched.domain.mail import MailPreview
from gcsched.domain.request import DEFAULT_TEMPLATE, MEETING, MeetRequest, RequestContext
from gcsched.domain.suppression import Suppression
from gcsched.errors import (
    GcschedError,
    InvalidRequest,
    StoreUnavailable,
    TemplateProblem,
    Violation,
)
from gcsched.usecases.admission.job_factory import JobFactory, Submission
from gcsched.usecases.admission.quotas import Quotas
from gcsched.usecases.loop_share import LoopShare
from gcsched.usecases.ports import Admissions, Clock, Drafter, Suppressions

SAMPLE_DAYS_AHEAD = timedelta(days=7)
SAMPLE_FIELDS = {"emailID": "email", "empName": "name"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunResult:
    """The result that a request would have, its mail, and the suppression of its address."""

    draft: MailPreview
    result: AdmissionResult
    suppression: Suppression | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """Does all that admission does, except storing."""

    job_factory: JobFactory
    drafter: Drafter
    admissions: Admissions
    suppressions: Suppressions
    now: Clock
    quotas: Quotas | None = None
    share: LoopShare = field(default_factory=LoopShare)

    async def run(
        self, raws: Sequence[MeetRequest], *, within: timedelta, client: Client
    ) -> list[DryRunResult | GcschedError]:
        """Return for each of *raws* of *client* its result or its error.

        Raises StoreUnavailable, which fails all of them.
        """
        try:
            async with asyncio.timeout(within.total_seconds()):
                return await self._run(raws, within, client)
        except TimeoutError as error:
            raise StoreUnavailable("looking for jobs with the same dedup key") from error

    async def _run(
        self, raws: Sequence[MeetRequest], within: timedelta, client: Client
    ) -> list[DryRunResult | GcschedError]:
        now = self.now()
        until = time.monotonic() + within.total_seconds()
        created: list[Submission | InvalidRequest] = []
        for raw in raws:
            if not self.share.try_take():
                await self.share.wait()
            created.append(
                self.job_factory.create_submission(raw, now=now, deadline=until, client=client)
            )
        submissions = [each for each in created if isinstance(each, Submission)]
        jobs = [each.job for each in submissions]
        if not jobs:
            return [each for each in created if isinstance(each, GcschedError)]
        answers_found = await self.admissions.dry_run(jobs, within=within)
        refused = await self._find_refused(client, submissions, answers_found, within)
        found = iter(
            refused.get(job.id, each) for job, each in zip(jobs, answers_found, strict=True)
        )
        suppressed = await self.suppressions.find_active({job.email for job in jobs}, now=now)
        answers: list[DryRunResult | GcschedError] = []
        for each in created:
            if not self.share.try_take():
                await self.share.wait()
            answers.append(
                self._answer(each, next(found), suppressed.get(each.job.email))
                if isinstance(each, Submission)
                else each
            )
        return answers

    async def _find_refused(
        self,
        client: Client,
        submissions: Sequence[Submission],
        found: Sequence[AdmissionAnswer],
        within: timedelta,
    ) -> Mapping[str, GcschedError]:
        """Return job id → error of what is beyond a limit of *client*; nothing is reserved."""
        if self.quotas is None or not is_counted(client.limits):
            return {}
        # Late jobs are refused for their time, if they are new.
        pairs = [(s.job, each) for s, each in zip(submissions, found, strict=True) if not s.is_late]
        jobs, answers = [job for job, _ in pairs], [answer for _, answer in pairs]
        return await self.quotas.preview(client, jobs, answers, within=within)

    def _answer(
        self,
        submission: Submission,
        found: AdmissionResult | GcschedError,
        suppression: Suppression | None,
    ) -> DryRunResult | GcschedError:
        job, answer = submission.job, submission.answer(found)
        if isinstance(answer, GcschedError):
            return answer
        try:
            draft = draft_mail(self.drafter, job)
        except InvalidRequest as error:
            # The traceback would keep the whole request in memory.
            return error.with_traceback(None)
        return DryRunResult(draft=draft, result=answer, suppression=suppression)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRecipient:
    """The recipient of a previewed mail or a test mail; every field has an example value."""

    template: str = DEFAULT_TEMPLATE
    variables: Mapping[str, str] = field(default_factory=dict)
    empid: str = "E-17"
    email: str = "zoe@example.org"
    name: str = "Zoë O'Neil"
    message: str = "Release review & retrospective"
    sender: str = ""  # of a test mail: the default one


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewTemplate:
    """Renders a template for a sample recipient, without a job and without stores."""

    job_factory: JobFactory
    drafter: Drafter
    now: Clock

    def preview(self, sample: SampleRecipient, client: Client) -> MailPreview:
        """Return the mail of *sample*, as if it were due now. Raises InvalidRequest."""
        return draft_mail(self.drafter, self.create_job(sample, client))

    def create_job(self, sample: SampleRecipient, client: Client) -> Job:
        """Return a job for *sample*, due now, that is not stored. Raises InvalidRequest.

        Only the templates of *client* are limited: nothing is sent to the sample recipient.
        """
        now = self.now()
        raw = MeetRequest(
            empid=sample.empid,
            email=sample.email,
            message=sample.message,
            name=sample.name,
            timestamp=int(now.timestamp()),
            template=sample.template,
            variables=sample.variables,
            event=find_sample_event(sample.template, now, self.job_factory.context),
            is_sample=True,
        )
        try:
            return self.job_factory.create(raw, now=now, client=without_recipient_limits(client))
        except InvalidRequest as error:
            raise with_sample_fields(error) from error


def find_sample_event(template: str, now: datetime, context: RequestContext) -> Event | None:
    """Return an event for a mail of *template* if that shows a meeting: at nine, in a week."""
    if MEETING not in context.templates.get(template, ()):
        return None
    zone = context.daily_plan.zone
    day = (now.astimezone(zone) + SAMPLE_DAYS_AHEAD).date()
    return Event(
        start=f"{day.isoformat()}T09:00",
        time_zone=zone.key,
        duration=timedelta(minutes=30),
        location="Room 4.2, second floor",
        url="https://meet.example.org/j/42",
        description="What was released?\nWhat is next?",
    )


def with_sample_fields(error: InvalidRequest) -> InvalidRequest:
    """Return *error* with the field names of a request for a sample recipient."""
    return InvalidRequest(
        [Violation(SAMPLE_FIELDS.get(v.field, v.field), v.problem) for v in error.violations]
    )


def draft_mail(drafter: Drafter, job: Job) -> MailPreview:
    """Return the mail of *job*; report a template that fails as a problem of its variables."""
    try:
        return drafter.draft(job)
    except TemplateProblem as problem:
        problem_text = f"do not fit the template: {problem}"
        raise InvalidRequest([Violation("variables", problem_text)]) from problem
