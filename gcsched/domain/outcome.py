"""Turns the outcome of an attempt into the next state of the job. Pure."""

from datetime import datetime
from typing import assert_never

from msgspec.structs import replace

from gcsched.domain.attempt import Attempt
from gcsched.domain.job import Job, State
from gcsched.domain.recipient_list import RecipientList
from gcsched.domain.retry import (
    LOST_REPLY,
    Done,
    Expire,
    GiveUp,
    Hold,
    OnUncertain,
    RetryPolicy,
    TryAgain,
    describe_expiry,
)
from gcsched.domain.smtp_reply import (
    Answered,
    Broken,
    Kind,
    Stage,
)
from gcsched.domain.suppression import Suppression

MAX_TEXT_LENGTH = 512
INTERRUPTED = "interrupted after the body had begun: the relay may have taken the mail"
MAX_LEASE_EXPIRATIONS = 10
DIED_TOO_OFTEN = "its worker died ten times"  # as many as MAX_LEASE_EXPIRATIONS
DOUBTED = "not counted: the relay refuses every recipient"
NOT_ALLOWED = "not sent: GCSCHED_ALLOWED_RECIPIENTS does not allow the address"
FOUND_ACCEPTED = "accepted by the relay; its worker died before recording it"


def make_attempt(
    transmission: Answered | Broken,
    *,
    relay: str,
    start_time: datetime,
    end_time: datetime,
    date: datetime | None = None,
) -> Attempt:
    """Describe what happened for the job's history; *date* is the Date header of the body."""
    match transmission:
        case Answered(reply, note, is_doubted):
            return Attempt(
                start_time=start_time,
                end_time=end_time,
                kind=transmission.kind,
                relay=relay,
                code=reply.code,
                enhanced_code=reply.enhanced_code,
                text=append_note(str(reply), DOUBTED if is_doubted else note),
                date=date if reply.stage is Stage.BODY else None,
            )
        case Broken(Stage.BODY, reason):
            text = f"{Stage.BODY}: {reason}"[:MAX_TEXT_LENGTH]
            kind = Kind.UNCERTAIN
            return Attempt(
                start_time=start_time,
                end_time=end_time,
                kind=kind,
                relay=relay,
                text=text,
                date=date,
            )
        case Broken(stage, reason):
            text = f"{stage}: {reason}"[:MAX_TEXT_LENGTH]
            return Attempt(
                start_time=start_time, end_time=end_time, kind=Kind.RELAY, relay=relay, text=text
            )
        case never:
            assert_never(never)


def append_note(text: str, note: str) -> str:
    """Return *text* with *note* behind it, cut to MAX_TEXT_LENGTH without losing the note."""
    suffix = note and f" ({note})"
    return text[: MAX_TEXT_LENGTH - len(suffix)] + suffix


def end_before_attempt(
    job: Job,
    *,
    suppression: Suppression | None,
    now: datetime,
    allowed: RecipientList | None = None,
) -> Job | None:
    """Return *job* ended without an attempt, or None if it may be sent.

    *suppression* is the one of its address, if there is one. *allowed* are the only addresses that
    may get mails; None: all may. The job may be older than that rule, or another process's.
    """
    if now > job.expire_time:
        return job.skipped(State.EXPIRED, now, reason=describe_expiry(job, last=job.reason))
    if allowed is not None and not allowed.allows(job.email):
        return job.skipped(State.FAILED, now, reason=NOT_ALLOWED)
    if suppression is not None and suppression.applies_to(job):
        return job.skipped(State.SUPPRESSED, now, reason=str(suppression))
    return None


def apply_attempt(job: Job, attempt: Attempt, *, policy: RetryPolicy, chance: float) -> Job:
    """Return *job* after *attempt*."""
    match policy.judge(job, attempt, chance=chance):
        case Done():
            return job.sent(attempt)
        case TryAgain(at=at, charged=charged):
            return job.retried(attempt, due_time=at, charged=charged)
        case GiveUp(reason=reason, kind=kind):
            return job.failed(replace(attempt, kind=kind or attempt.kind), reason=reason)
        case Expire(reason=reason, charged=charged):
            return job.expired(attempt, reason=reason, charged=charged)
        case Hold(reason=reason):
            return job.held(attempt, reason=reason)
        case never:
            assert_never(never)


def apply_interruption(
    job: Job,
    *,
    begun: datetime | None,
    policy: RetryPolicy,
    now: datetime,
    date: datetime | None = None,
) -> Job:
    """Return *job* after its delivery was interrupted, by a stop or the death of its process.

    *begun* is when its process got the permit to write the body, with this *date*; None means that
    nothing was transmitted. No attempt is charged either way.
    """
    if begun is None:
        return job.unclaimed(now)
    attempt = Attempt(
        start_time=begun, end_time=now, kind=Kind.UNCERTAIN, text=INTERRUPTED, date=date
    )
    if policy.on_uncertain is OnUncertain.HOLD:
        return job.held(attempt, reason=LOST_REPLY, charged=False)
    return job.retried(attempt, due_time=now, charged=False)


def apply_lease_expiration(
    job: Job, *, begun: datetime | None, policy: RetryPolicy, now: datetime
) -> Job:
    """Return *job* after its lease expired: interrupted, or FAILED after too many expirations."""
    # A mail that kills each process that delivers it must not do so for ever.
    job = replace(job, lease_expirations=job.lease_expirations + 1)
    is_held = begun is not None and policy.on_uncertain is OnUncertain.HOLD
    if job.lease_expirations >= MAX_LEASE_EXPIRATIONS and not is_held:
        kind = Kind.RELAY if begun is None else Kind.UNCERTAIN
        attempt = Attempt(
            start_time=begun or job.state_time, end_time=now, kind=kind, text=DIED_TOO_OFTEN
        )
        return job.failed(attempt, reason=DIED_TOO_OFTEN, charged=False)
    return apply_interruption(job, begun=begun, policy=policy, now=now)


def apply_acceptance(job: Job, *, begun: datetime, now: datetime) -> Job:
    """Return *job* SENT: its process died after it noted that the relay accepted the mail."""
    return job.sent(
        Attempt(start_time=begun, end_time=now, kind=Kind.ACCEPTED, text=FOUND_ACCEPTED)
    )
