"""Addresses that a relay said do not exist, or that somebody blocked: no mail for a while. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gcsched.domain.attempt import Attempt
from gcsched.domain.caller_text import quote
from gcsched.domain.checks import Checked
from gcsched.domain.job import Job, State
from gcsched.domain.smtp_reply import Kind
from gcsched.errors import Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """A blocked *address*, and the job that found out; "": somebody has blocked it.

    The address is normalised as that of a job: the domain in lower case, the local part as it was
    given, because only its own host knows whether case matters there (RFC 5321, section 2.4).
    """

    address: str
    reason: str
    job_id: str
    create_time: datetime
    expire_time: datetime

    def applies_to(self, job: Job) -> bool:
        """Tell whether *job* must not be sent.

        Never by its own refusal: it met that one again after a crash, or an operator retries it.
        """
        return job.id != self.job_id

    def __str__(self) -> str:
        until = self.expire_time.date().isoformat()
        since = f", since job {self.job_id}" if self.job_id else ""
        why = self.reason if self.job_id else f"a caller gave the reason {quote(self.reason)}"
        return f"the address is blocked until {until}{since}: {why}"


def expire_time_violations(expire_time: datetime, *, now: datetime) -> Checked[None]:
    if expire_time <= now:
        yield Violation(
            "expire_time", f"must be in the future; now it is {now.isoformat(timespec='seconds')}"
        )


def suppression_from(job: Job, *, duration: timedelta) -> Suppression | None:
    """Give what the end of *job* means for its address; None when it says nothing against it."""
    match job.attempts:
        case [*_, Attempt(kind=Kind.RECIPIENT, blames_full_mailbox=False) as refused] if (
            job.state is State.FAILED
        ):
            return Suppression(
                address=job.email,
                reason=refused.text,
                job_id=job.id,
                create_time=refused.end_time,
                expire_time=refused.end_time + duration,
            )
        case _:
            return None
