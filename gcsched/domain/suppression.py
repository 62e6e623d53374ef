"""Suppressions: addresses that get no mail until a time. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gcsched.domain.address import parse_new_address
from gcsched.domain.address_rules import AddressRules
from gcsched.domain.attempt import Attempt
from gcsched.domain.caller_text import quote
from gcsched.domain.checks import Checked
from gcsched.domain.job import Job, State
from gcsched.domain.smtp_reply import Kind
from gcsched.domain.validation import reason_violations
from gcsched.errors import Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """An *address* that gets no mail until *expire_time*.

    *job_id* is the job whose refusal caused it; "" if a caller added it. The address is normalised
    like that of a job: the domain in lower case, the local part as given, because only its own
    host knows whether case matters there (RFC 5321, section 2.4).
    """

    address: str
    reason: str
    job_id: str
    create_time: datetime
    expire_time: datetime

    def applies_to(self, job: Job) -> bool:
        """Return whether *job* must not be sent.

        A job's own refusal never stops it: it meets that again after a crash, or on a retry.
        """
        return job.id != self.job_id

    def __str__(self) -> str:
        until = self.expire_time.date().isoformat()
        since = f", since job {self.job_id}" if self.job_id else ""
        why = self.reason if self.job_id else f"a caller gave the reason {quote(self.reason)}"
        return f"the address is suppressed until {until}{since}: {why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSuppression:
    """An *address* to suppress. *expire_time* None: for as long as the service is set to."""

    address: str
    reason: str
    expire_time: datetime | None


def parse_new_suppression(
    email: str, reason: str, expire_time: datetime | None, *, rules: AddressRules, now: datetime
) -> Checked[NewSuppression]:
    """Parse an address to suppress, with a reason."""
    address = yield from parse_new_address(email, field="email", rules=rules)
    reason = reason.strip()
    yield from reason_violations(reason, at_least=1)
    if expire_time is not None:
        yield from expire_time_violations(expire_time, now=now)
    return NewSuppression(address=address, reason=reason, expire_time=expire_time)


def expire_time_violations(expire_time: datetime, *, now: datetime) -> Checked[None]:
    if expire_time <= now:
        yield Violation(
            "expire_time", f"must be in the future; it is {now.isoformat(timespec='seconds')} now"
        )


def suppression_from(job: Job, *, duration: timedelta) -> Suppression | None:
    """Return the suppression that the end of *job* causes; None if it causes none.

    A job that failed without a new attempt says nothing about its address.
    """
    if job.state is not State.FAILED:
        return None
    match job.new_attempt:
        case Attempt(kind=Kind.RECIPIENT, blames_full_mailbox=False) as refused:
            return Suppression(
                address=job.email,
                reason=refused.text,
                job_id=job.id,
                create_time=refused.end_time,
                expire_time=refused.end_time + duration,
            )
        case _:
            return None
