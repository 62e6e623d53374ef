"""Show what a mail would look like; store nothing."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from gcsched.domain.dedup import AdmissionAnswer, AdmissionResult
from gcsched.domain.job import Job
from gcsched.domain.mail import Draft
from gcsched.domain.request import DEFAULT_TEMPLATE, MeetRequest
from gcsched.domain.suppression import Suppression
from gcsched.errors import (
    GcschedError,
    InvalidRequest,
    StoreUnavailable,
    TemplateProblem,
    Violation,
)
from gcsched.usecases.admission.job_factory import JobFactory, Submission
from gcsched.usecases.loop_share import LoopShare
from gcsched.usecases.ports import Admissions, Clock, Drafter, Suppressions

OWN_NAMES = {"emailID": "email", "empName": "name"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What would become of a request: the answer, the mail, and what is in the way of it."""

    draft: Draft
    result: AdmissionResult
    suppression: Suppression | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearse:
    """Do all that accepting does, but the storing."""

    make_job: JobFactory
    drafter: Drafter
    admissions: Admissions
    suppressions: Suppressions
    now: Clock
    share: LoopShare = field(default_factory=LoopShare)

    async def __call__(
        self, raws: Sequence[MeetRequest], *, within: timedelta
    ) -> list[Rehearsal | GcschedError]:
        """Rehearse each of *raws* for itself; what is wrong with one is its answer.

        Raises StoreUnavailable, which hits them all.
        """
        try:
            async with asyncio.timeout(within.total_seconds()):
                return await self._rehearse(raws, within)
        except TimeoutError as error:
            raise StoreUnavailable("looking for the job that was asked for before") from error

    async def _rehearse(
        self, raws: Sequence[MeetRequest], within: timedelta
    ) -> list[Rehearsal | GcschedError]:
        now = self.now()
        until = time.monotonic() + within.total_seconds()
        made: list[Submission | InvalidRequest] = []
        for raw in raws:
            if self.share.is_used_up():
                await self.share.wait()
            made.append(self.make_job.submission(raw, now=now, until=until))
        jobs = [each.job for each in made if isinstance(each, Submission)]
        if not jobs:
            return [each for each in made if isinstance(each, GcschedError)]
        found = iter(await self.admissions.foresee(jobs, within=within))
        suppressed = await self.suppressions.among({job.email for job in jobs}, now=now)
        answers: list[Rehearsal | GcschedError] = []
        for each in made:
            if self.share.is_used_up():
                await self.share.wait()
            answers.append(
                self._answer(each, next(found), suppressed.get(each.job.email))
                if isinstance(each, Submission)
                else each
            )
        return answers

    def _answer(
        self, submission: Submission, found: AdmissionAnswer, suppression: Suppression | None
    ) -> Rehearsal | GcschedError:
        job, answer = submission.job, submission.answer(found)
        if isinstance(answer, GcschedError):
            return answer
        try:
            draft = drafted(self.drafter, job)
        except InvalidRequest as unsuited:
            return unsuited.with_traceback(None)  # it would keep the whole request
        return Rehearsal(draft=draft, result=answer, suppression=suppression)


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """Whose mail to show; everything has an example."""

    template: str = DEFAULT_TEMPLATE
    variables: Mapping[str, str] = field(default_factory=dict)
    empid: str = "E-17"
    email: str = "zoe@example.org"
    name: str = "Zoë O'Neil"
    message: str = "Release review & retrospective"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewTemplate:
    """Render a template for somebody, known to nobody."""

    make_job: JobFactory
    drafter: Drafter
    now: Clock

    def __call__(self, specimen: Specimen) -> Draft:
        """Show the mail of *specimen*, as if it were due now; raises InvalidRequest."""
        now = self.now()
        raw = MeetRequest(
            empid=specimen.empid,
            email=specimen.email,
            message=specimen.message,
            name=specimen.name,
            timestamp=int(now.timestamp()),
            template=specimen.template,
            variables=specimen.variables,
        )
        try:
            job = self.make_job(raw, now=now)
        except InvalidRequest as error:
            named = [
                Violation(OWN_NAMES.get(v.field, v.field), v.problem) for v in error.violations
            ]
            raise InvalidRequest(named) from error
        return drafted(self.drafter, job)


def drafted(drafter: Drafter, job: Job) -> Draft:
    """Show the mail of *job*; a template that fails is told as what its data brought about."""
    try:
        return drafter.draft(job)
    except TemplateProblem as problem:
        told = f"do not suit the template: {problem}"
        raise InvalidRequest([Violation("variables", told)]) from problem
