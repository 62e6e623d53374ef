"""Decides what follows an attempt. Pure: time and chance are arguments."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from gcsched.domain.attempt import Attempt
from gcsched.domain.due import round_up_to_second
from gcsched.domain.job import Job
from gcsched.domain.retry_hint import parse_retry_hint
from gcsched.domain.smtp_reply import Kind


class OnUncertain(StrEnum):
    """The choice for a mail if the relay's reply to its body was lost."""

    RESEND = "resend"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Done:
    """The relay took the mail."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """The job is delivered again at *at*; *charged* says whether this uses up an attempt."""

    at: datetime
    charged: bool = True


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The job ends as FAILED; *kind* replaces the kind of the last attempt; None keeps it."""

    reason: str
    kind: Kind | None = None


@dataclass(frozen=True, slots=True)
class Expire:
    """The job ends as EXPIRED: the next attempt would be too late."""

    reason: str
    charged: bool = True


@dataclass(frozen=True, slots=True)
class Hold:
    """The job is held as UNCERTAIN until an operator decides."""

    reason: str


Verdict = Done | TryAgain | GiveUp | Expire | Hold

INITIAL_RELAY_WAIT = timedelta(seconds=1)
MAX_RELAY_WAIT = timedelta(seconds=60)
# A relay's hint in a Kind.RELAY reply may concern all mails: none should wait for hours after the
# relay has been repaired.
MAX_RELAY_HINT = timedelta(minutes=15)
LOST_REPLY = "the relay's reply to the body is unknown: it may have taken the mail"


WAITS = tuple(timedelta(seconds=s) for s in (60, 300, 900, 3600, 7200, 14400))
MIN_WAIT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Back-off with full jitter, two limits, and the choice after a lost reply.

    The wait before attempt n+1 is drawn from 0 to the n-th of *waits*, or the last one (AWS
    Architecture Blog, "Exponential Backoff And Jitter"). *max_attempts* limits deferrals; the
    job's ``expire_time`` limits everything. A failure of the relay itself (Kind.RELAY) uses up no
    attempt and waits less: the circuit breaker protects the relay, and the mail should leave soon
    after it is back.
    """

    max_attempts: int = 8
    waits: tuple[timedelta, ...] = WAITS
    on_uncertain: OnUncertain = OnUncertain.RESEND

    def judge(self, job: Job, attempt: Attempt, *, chance: float) -> Verdict:
        """Return what follows *attempt*; *job* is as before it, *chance* is uniform in 0..1."""
        match attempt.kind:
            case Kind.ACCEPTED:
                return Done()
            case Kind.RECIPIENT | Kind.CONTENT | Kind.POLICY:
                return GiveUp(attempt.text)
            case Kind.RELAY:
                wait = relay_wait(len(job.attempts) + 1, chance)
                return retry_or_expire(job, attempt, wait, charged=False)
            case Kind.UNCERTAIN if self.on_uncertain is OnUncertain.HOLD:
                return Hold(LOST_REPLY)
            case Kind.UNCERTAIN | Kind.DEFERRED:
                return self.judge_deferral(job, attempt, chance)
            case never:
                assert_never(never)

    def judge_deferral(self, job: Job, attempt: Attempt, chance: float) -> Verdict:
        tries = job.attempt + 1
        if tries >= self.max_attempts:
            reason = f"{tries} attempts failed, the last with: {attempt.text}"
            return GiveUp(reason, kind=final_kind(attempt))
        return retry_or_expire(job, attempt, self.wait(tries, chance), charged=True)

    def wait(self, tries: int, chance: float) -> timedelta:
        return max(self.waits[min(tries, len(self.waits)) - 1] * chance, MIN_WAIT)


def final_kind(attempt: Attempt) -> Kind | None:
    """Return the kind at the limit of attempts: RECIPIENT if the mailbox stays full, else None."""
    is_full = attempt.kind is Kind.DEFERRED and attempt.blames_full_mailbox
    return Kind.RECIPIENT if is_full else None


def relay_wait(tries: int, chance: float) -> timedelta:
    longest = min(INITIAL_RELAY_WAIT * (1 << min(tries - 1, 30)), MAX_RELAY_WAIT)
    return max(longest * chance, INITIAL_RELAY_WAIT)


def retry_or_expire(job: Job, attempt: Attempt, wait: timedelta, *, charged: bool) -> Verdict:
    """Try again after the relay's own hint or *wait*; expire at once if that is too late.

    There is no last attempt at the expire time: all jobs that expire together would make it
    together.
    """
    at = round_up_to_second(attempt.end_time + (read_hint(attempt) or wait))
    if at > job.expire_time:
        return Expire(describe_expiry(job, last=attempt.text), charged=charged)
    return TryAgain(at=at, charged=charged)


def read_hint(attempt: Attempt) -> timedelta | None:
    """Return the wait that the relay asks for, limited to what the service accepts."""
    # Only a relay's own text is a hint; ours may contain "no answer within 600 seconds".
    hint = parse_retry_hint(attempt.text) if attempt.code is not None else None
    if hint is None or attempt.kind is not Kind.RELAY:
        return hint
    return min(hint, MAX_RELAY_HINT)


def describe_expiry(job: Job, *, last: str) -> str:
    """Return the reason of an expired *job*; *last* is the text of its last attempt, or ""."""
    limit = f"not sent by {job.expire_time.isoformat(timespec='seconds')}"
    return f"{limit}, the last attempt: {last}" if last else limit
