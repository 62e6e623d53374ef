"""Carry one claimed job through: compose, begin, send, and say what became of it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from gcsched.domain.attempt import Attempt
from gcsched.domain.due import round_up_to_second
from gcsched.domain.job import LEASE, LEASE_LEFT_AT_BODY, Job
from gcsched.domain.mail_date import choose_date
from gcsched.domain.masking import mask
from gcsched.domain.outcome import (
    MAX_TEXT_LENGTH,
    apply_attempt,
    apply_interruption,
    end_before_attempt,
    make_attempt,
)
from gcsched.domain.permit import Permit
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
    """A job in our hands. *begun* is set when its body may be on its way to the relay.

    *suppression* is that of its address, as it was right after the claim. *date* is the Date of
    its mail from the first time that the fence was asked for it.
    """

    job: Job
    token: str
    suppression: Suppression | None = None
    begun: datetime | None = field(default=None)
    date: datetime | None = field(default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """Mark jobs as begun in the database, for many sessions in one write.

    What is no longer ours there gets no permit. A permit ends while 5 s of the lease are left, by
    the monotonic clock, which goes on when the process is paused.
    """

    claims: Claims
    now: Clock

    async def begin(self, batch: Sequence[ClaimedJob]) -> list[Permit | None]:
        permit_ends: dict[str, float] = {}
        for (token, date), ids in self._group_by_date(batch).items():
            until = time.monotonic() + (LEASE - LEASE_LEFT_AT_BODY).total_seconds()
            for job_id in await self.claims.begin(token, ids, date=date):
                permit_ends[token + job_id] = until
        return [
            make_permit(claimed, permit_ends.get(claimed.token + claimed.job.id))
            for claimed in batch
        ]

    def _group_by_date(self, batch: Sequence[ClaimedJob]) -> dict[tuple[str, datetime], list[str]]:
        """Settle the date of each mail, and group the ids: one write for each claim and date.

        Nearly all have the present second, and one that is stored stays whatever is written. Only
        mails of the version before, and those asked for again in a later second, go apart: an
        earlier write whose answer was lost may have stored that date.
        """
        second = self.now().replace(microsecond=0)
        ids_by_group: dict[tuple[str, datetime], list[str]] = {}
        for claimed in batch:
            if claimed.date is None:
                claimed.date = choose_date(claimed.job) or second
            date = claimed.date if claimed.job.date is None else second
            ids_by_group.setdefault((claimed.token, date), []).append(claimed.job.id)
        return ids_by_group


def make_permit(claimed: ClaimedJob, until: float | None) -> Permit | None:
    if until is None or claimed.date is None:
        return None
    return Permit(until=until, date=claimed.date)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    composer: MailComposer
    transport: Transport
    fence: GroupCommit[ClaimedJob, Permit | None]
    policy: RetryPolicy
    now: Clock
    chance: Callable[[], float]

    async def deliver(self, claimed: ClaimedJob) -> Conclusion:
        """Deliver once. Whatever is cancelled here, ``conclude_interrupted`` says what it came to."""
        started = self.now()
        ended = end_before_attempt(claimed.job, suppression=claimed.suppression, now=started)
        if ended is not None:
            return Conclusion(claim=claimed.token, job=ended)
        try:
            mail = self.composer.compose(claimed.job)
        except (TemplateProblem, ValueError) as problem:
            return self._reject_content(claimed, started, problem)
        try:
            result = await self.transport.send(mail, partial(self._begin, claimed))
        except MalformedMail as problem:
            return self._reject_content(claimed, started, problem)
        except (StoreUnavailable, Stopping, Overloaded):
            # Nobody said that the claim still holds, so nothing was sent.
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
                return self._conclude(claimed, attempt)

    def _conclude_withheld(self, claimed: ClaimedJob, wait: timedelta | None) -> Conclusion:
        if wait is None:
            return self.give_back(claimed)
        return self.postpone(claimed, round_up_to_second(self.now() + wait))

    async def _begin(self, claimed: ClaimedJob) -> Permit | None:
        if self.now() > claimed.job.expire_time:  # a relay may take minutes until here
            return None
        permit = await self.fence.submit(claimed)
        if permit is not None:
            claimed.begun = self.now()
        return permit

    def give_back(self, claimed: ClaimedJob) -> Conclusion:
        return Conclusion(claim=claimed.token, job=claimed.job.unclaimed(self.now()))

    def postpone(self, claimed: ClaimedJob, due: datetime) -> Conclusion:
        """Undo the claim until *due*, unless the job is not to be sent at all."""
        job, now = claimed.job, self.now()
        ended = end_before_attempt(job, suppression=claimed.suppression, now=now)
        return Conclusion(claim=claimed.token, job=ended or job.postponed(due, now))

    def conclude_interrupted(self, claimed: ClaimedJob) -> Conclusion:
        """Say what a delivery came to that was cancelled."""
        job = apply_interruption(
            claimed.job,
            begun=claimed.begun,
            date=claimed.date,
            policy=self.policy,
            now=self.now(),
        )
        return Conclusion(claim=claimed.token, job=job)

    def conclude_crashed(self, claimed: ClaimedJob, error: Exception) -> Conclusion:
        """Return what a delivery came to that ran into a defect of ours.

        Before the body the mail is not to blame: no attempt is charged, and the wait grows.
        """
        kind = Kind.RELAY if claimed.begun is None else Kind.UNCERTAIN
        text = f"internal error: {type(error).__name__}"
        failure = self._make_attempt(claimed.begun or self.now(), kind, text)
        date = None if claimed.begun is None else claimed.date
        return self._conclude(claimed, replace(failure, date=date))

    def _reject_content(
        self, claimed: ClaimedJob, started: datetime, problem: Exception
    ) -> Conclusion:
        return self._conclude(claimed, self._make_attempt(started, Kind.CONTENT, str(problem)))

    def _make_attempt(self, begun: datetime, kind: Kind, text: str) -> Attempt:
        return Attempt(
            start_time=begun, end_time=self.now(), kind=kind, text=text[:MAX_TEXT_LENGTH]
        )

    def _conclude(self, claimed: ClaimedJob, attempt: Attempt) -> Conclusion:
        job = apply_attempt(claimed.job, attempt, policy=self.policy, chance=self.chance())
        return Conclusion(claim=claimed.token, job=job)


def log_relay_note(job: Job, transmission: Answered | Broken) -> None:
    """Log that the relay took another form of the mail than was asked for."""
    if isinstance(transmission, Answered) and transmission.note:
        log = structlog.get_logger()
        log.warning("mail changed for the relay", job_id=job.id, how=mask(transmission.note, job))
