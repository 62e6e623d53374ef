"""Delivery of one claimed job: compose the mail, pass the fence, send, and conclude."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog
from msgspec.structs import replace

from gcsched.domain.attempt import Attempt
from gcsched.domain.due import round_up_to_second
from gcsched.domain.job import LEASE_LEFT_AT_BODY, Job
from gcsched.domain.mail_date import choose_date
from gcsched.domain.masking import mask
from gcsched.domain.outcome import (
    MAX_TEXT_LENGTH,
    append_note,
    apply_attempt,
    apply_interruption,
    end_before_attempt,
    make_attempt,
)
from gcsched.domain.permit import Permit
from gcsched.domain.recipient_list import RecipientList
from gcsched.domain.retry import RetryPolicy
from gcsched.domain.smtp_reply import Answered, Broken, Kind, Withheld
from gcsched.domain.suppression import Suppression
from gcsched.errors import (
    MalformedMail,
    Overloaded,
    Stopping,
    StoreUnavailable,
    TemplateProblem,
)
from gcsched.usecases.batching import GroupCommit
from gcsched.usecases.ports import (
    Claims,
    Clock,
    Conclusion,
    MailComposer,
    Transport,
)


@dataclass(slots=True, kw_only=True, eq=False)
class ClaimedJob:
    """A job that this process has claimed.

    *begun* is set once its body may be on its way to the relay. *suppression* is that of its
    address, read right after the claim. *objection* is why its meeting does not want it any more,
    found at the same time; "" if it does. *date* is the Date of its mail, chosen when the fence is
    first passed.
    """

    job: Job
    token: str
    suppression: Suppression | None = None
    objection: str = ""
    begun: datetime | None = field(default=None)
    date: datetime | None = field(default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """Marks jobs as begun in the database, for many sessions in one write.

    A job whose claim was lost gets no permit. A permit ends while 5 s of the lease are left, so
    that the body cannot begin under another process's claim. *find_lease_end* returns the end of
    the lease that this process knows of a claim. It is measured by the monotonic clock, which goes
    on while the process is suspended. *settle_markers* waits shortly for the sent markers of the
    mails before these.
    """

    claims: Claims
    find_lease_end: Callable[[str], float]
    settle_markers: Callable[[], Awaitable[None]]
    now: Clock

    async def begin(self, batch: Sequence[ClaimedJob]) -> list[Permit | None]:
        """Return for each job of *batch* its permit, or None if its claim was lost or is ending."""
        await self.settle_markers()
        permit_ends: dict[str, float] = {}
        for (token, date), ids in self._group_by_date(batch).items():
            until = self.find_lease_end(token) - LEASE_LEFT_AT_BODY.total_seconds()
            if until <= time.monotonic():
                continue  # renewals have failed for long: the next claim of these jobs sends them
            for job_id in await self.claims.begin(token, ids, date=date):
                permit_ends[token + job_id] = until
        return [
            make_permit(claimed, permit_ends.get(claimed.token + claimed.job.id))
            for claimed in batch
        ]

    def _group_by_date(self, batch: Sequence[ClaimedJob]) -> dict[tuple[str, datetime], list[str]]:
        """Choose the Date of each mail, and group the job ids: one write for each claim and date.

        Nearly all mails get the present second; an earlier date that is stored is kept by the
        write. Three kinds go into groups of their own: jobs of the previous version, jobs whose
        stored date is later than the present second, because a clock was set back, and jobs whose
        fence is passed again in a later second, because an earlier write whose answer was lost may
        have stored a date.
        """
        second = self.now().replace(microsecond=0)
        ids_by_group: dict[tuple[str, datetime], list[str]] = {}
        for claimed in batch:
            if claimed.date is None:
                claimed.date = choose_date(claimed.job) or second
            stored = claimed.job.date
            date = claimed.date if stored is None or stored > second else second
            ids_by_group.setdefault((claimed.token, date), []).append(claimed.job.id)
        return ids_by_group


def make_permit(claimed: ClaimedJob, until: float | None) -> Permit | None:
    if until is None or claimed.date is None:
        return None
    return Permit(until=until, date=claimed.date)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    """Makes one attempt for a claimed job and returns what it came to.

    *allowed* are the only addresses that may get mails; None: all may. *note* is added to the text
    of each attempt in which a relay was asked; "" adds none. *find_digest* returns the digest
    of the template with a name, "" if it is not known.
    """

    composer: MailComposer
    transport: Transport
    fence: GroupCommit[ClaimedJob, Permit | None]
    policy: RetryPolicy
    now: Clock
    chance: Callable[[], float]
    allowed: RecipientList | None = None
    note: str = ""
    find_digest: Callable[[str], str] = lambda _: ""

    async def deliver(self, claimed: ClaimedJob) -> Conclusion:
        """Deliver once. If it is cancelled, ``conclude_interrupted`` returns its conclusion."""
        started = self.now()
        ended = self._end_before_attempt(claimed, started)
        if ended is not None:
            return Conclusion(claim=claimed.token, job=ended)
        digest = self.find_digest(claimed.job.template)
        try:
            mail = self.composer.compose(claimed.job)
        except (TemplateProblem, ValueError) as problem:
            return self._reject_content(claimed, started, problem)
        try:
            result = await self.transport.send(mail, partial(self._begin, claimed))
        except MalformedMail as problem:
            return self._reject_content(claimed, started, problem)
        except (StoreUnavailable, Stopping, Overloaded):
            # The fence did not confirm the claim, so nothing was sent.
            return self.give_back(claimed)
        match result.transmission:
            case Withheld(wait=wait):
                return self._conclude_withheld(claimed, wait)
            case Answered() | Broken() as transmission:
                log_relay_note(claimed.job, transmission)
                attempt = make_attempt(
                    transmission,
                    relay=result.relay,
                    start_time=started,
                    end_time=self.now(),
                    date=claimed.date,
                )
                return self._conclude(claimed, self._complete(attempt, digest))

    def _complete(self, attempt: Attempt, digest: str) -> Attempt:
        text = append_note(attempt.text, self.note) if self.note else attempt.text
        return replace(attempt, text=text, template_digest=digest)

    def _conclude_withheld(self, claimed: ClaimedJob, wait: timedelta | None) -> Conclusion:
        if wait is None:
            return self.give_back(claimed)
        return self.postpone_by(claimed, wait)

    async def _begin(self, claimed: ClaimedJob) -> Permit | None:
        if self.now() > claimed.job.expire_time:  # a relay may take minutes to get here
            return None
        permit = await self.fence.submit(claimed)
        if permit is not None:
            claimed.begun = self.now()
        return permit

    def give_back(self, claimed: ClaimedJob) -> Conclusion:
        """Undo the claim: the job is due again as before."""
        return Conclusion(claim=claimed.token, job=claimed.job.unclaimed(self.now()))

    def postpone(self, claimed: ClaimedJob, due: datetime) -> Conclusion:
        """Undo the claim until *due*, or end the job if it must not be sent at all."""
        now = self.now()
        job = self._end_before_attempt(claimed, now) or claimed.job.postponed(due, now)
        return Conclusion(claim=claimed.token, job=job)

    def postpone_by(self, claimed: ClaimedJob, wait: timedelta) -> Conclusion:
        return self.postpone(claimed, round_up_to_second(self.now() + wait))

    def _end_before_attempt(self, claimed: ClaimedJob, now: datetime) -> Job | None:
        if claimed.objection:
            return claimed.job.cancelled(now, reason=claimed.objection)
        return end_before_attempt(
            claimed.job, suppression=claimed.suppression, now=now, allowed=self.allowed
        )

    def conclude_interrupted(self, claimed: ClaimedJob) -> Conclusion:
        """Return the conclusion of a delivery that was cancelled."""
        job = apply_interruption(
            claimed.job,
            begun=claimed.begun,
            date=claimed.date,
            policy=self.policy,
            now=self.now(),
        )
        return Conclusion(claim=claimed.token, job=job)

    def conclude_crashed(self, claimed: ClaimedJob, error: Exception) -> Conclusion:
        """Return the conclusion of a delivery that raised an unexpected exception.

        Before the body it is not the mail's fault: no attempt is charged, and the wait grows.
        """
        kind = Kind.RELAY if claimed.begun is None else Kind.UNCERTAIN
        text = f"internal error: {type(error).__name__}"
        date = None if claimed.begun is None else claimed.date
        attempt = self._make_attempt(claimed.begun or self.now(), kind, text, date)
        return self._conclude(claimed, attempt)

    def _reject_content(
        self, claimed: ClaimedJob, started: datetime, problem: Exception
    ) -> Conclusion:
        return self._conclude(claimed, self._make_attempt(started, Kind.CONTENT, str(problem)))

    def _make_attempt(
        self, begun: datetime, kind: Kind, text: str, date: datetime | None = None
    ) -> Attempt:
        text = text[:MAX_TEXT_LENGTH]
        return Attempt(start_time=begun, end_time=self.now(), kind=kind, text=text, date=date)

    def _conclude(self, claimed: ClaimedJob, attempt: Attempt) -> Conclusion:
        if attempt.kind is Kind.ACCEPTED:  # most attempts, and the policy has nothing to decide
            job = claimed.job.sent(attempt)
        else:
            job = apply_attempt(claimed.job, attempt, policy=self.policy, chance=self.chance())
        return Conclusion(claim=claimed.token, job=job)


def log_relay_note(job: Job, transmission: Answered | Broken) -> None:
    """Log that the mail was changed for what the relay supports."""
    if isinstance(transmission, Answered) and transmission.note:
        log = structlog.get_logger()
        log.warning(
            "mail changed for the relay", job_id=job.id, change=mask(transmission.note, job)
        )
