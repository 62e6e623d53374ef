"""From what the relay said to what becomes of the job. Pure."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from gcsched.domain.attempt import Attempt
from gcsched.domain.job import Job, State
from gcsched.domain.retry import (
    LOST_REPLY,
    Done,
    Expire,
    GiveUp,
    Hold,
    OnUncertain,
    RetryPolicy,
    TryAgain,
    too_late,
)
from gcsched.domain.smtp_reply import (
    Answered,
    Broken,
    Kind,
    Stage,
)
from gcsched.domain.suppression import Suppression

LONGEST_TEXT = 512
CUT_OFF = "cut off after the body had begun: the relay may have taken the mail"
MOST_TAKEBACKS = 10
DIED_TOO_OFTEN = "its worker died ten times"  # as many as MOST_TAKEBACKS
DOUBTED = "not counted: the relay refuses one recipient after the other"
FOUND_ACCEPTED = "accepted by the relay; its worker died before recording it"


def attempt_from(
    transmission: Answered | Broken,
    *,
    relay: str,
    begun: datetime,
    ended: datetime,
    date: datetime | None = None,
) -> Attempt:
    """Put what happened into the words of the job's history; *date* is that of the body."""
    match transmission:
        case Answered(reply, note, is_doubted):
            return Attempt(
                start_time=begun,
                end_time=ended,
                kind=transmission.kind,
                relay=relay,
                code=reply.code,
                enhanced_code=reply.enhanced_code,
                text=noted(str(reply), DOUBTED if is_doubted else note),
                date=date if reply.stage is Stage.BODY else None,
            )
        case Broken(Stage.BODY, reason):
            text = f"{Stage.BODY}: {reason}"[:LONGEST_TEXT]
            kind = Kind.UNCERTAIN
            return Attempt(start_time=begun, end_time=ended, kind=kind, relay=relay, text=text, date=date)
        case Broken(stage, reason):
            text = f"{stage}: {reason}"[:LONGEST_TEXT]
            return Attempt(start_time=begun, end_time=ended, kind=Kind.RELAY, relay=relay, text=text)
        case never:
            assert_never(never)


def noted(text: str, note: str) -> str:
    """Return *text*, cut so that *note* has room behind it."""
    behind = note and f" ({note})"
    return text[: LONGEST_TEXT - len(behind)] + behind


def before_attempt(job: Job, *, suppression: Suppression | None, now: datetime) -> Job | None:
    """Give *job* as it ends without a conversation; None when it may be sent.

    *suppression* is that of its address, if there is one.
    """
    if now > job.expire_time:
        return job.passed_over(State.EXPIRED, now, reason=too_late(job, last=job.reason))
    if suppression is not None and suppression.bars(job):
        return job.passed_over(State.SUPPRESSED, now, reason=str(suppression))
    return None


def after_attempt(job: Job, attempt: Attempt, *, policy: RetryPolicy, chance: float) -> Job:
    """Give *job* as it is after *attempt*."""
    match policy.judge(job, attempt, chance=chance):
        case Done():
            return job.sent(attempt)
        case TryAgain(at=at, charged=charged):
            return job.retried(attempt, due=at, charged=charged)
        case GiveUp(reason=reason, kind=kind):
            return job.failed(replace(attempt, kind=kind or attempt.kind), reason=reason)
        case Expire(reason=reason, charged=charged):
            return job.expired(attempt, reason=reason, charged=charged)
        case Hold(reason=reason):
            return job.held(attempt, reason=reason)
        case never:
            assert_never(never)


def interrupted(
    job: Job,
    *,
    begun: datetime | None,
    policy: RetryPolicy,
    now: datetime,
    date: datetime | None = None,
) -> Job:
    """Give *job* as it is after its delivery was cut off, by a stop or a death of its worker.

    *begun* is when its body was about to be written, with this *date*; None means that nothing was
    transmitted. No attempt is charged either way.
    """
    if begun is None:
        return job.given_back(now)
    attempt = Attempt(start_time=begun, end_time=now, kind=Kind.UNCERTAIN, text=CUT_OFF, date=date)
    if policy.on_uncertain is OnUncertain.HOLD:
        return job.held(attempt, reason=LOST_REPLY, charged=False)
    return job.retried(attempt, due=now, charged=False)


def taken_back(job: Job, *, begun: datetime | None, policy: RetryPolicy, now: datetime) -> Job:
    """Give *job* as it is after its lease ran out: as if interrupted, but MOST_TAKEBACKS times."""
    job = replace(job, lease_expirations=job.lease_expirations + 1)
    is_held = begun is not None and policy.on_uncertain is OnUncertain.HOLD
    if job.lease_expirations >= MOST_TAKEBACKS and not is_held:
        kind = Kind.RELAY if begun is None else Kind.UNCERTAIN
        attempt = Attempt(start_time=begun or job.state_time, end_time=now, kind=kind, text=DIED_TOO_OFTEN)
        return job.failed(attempt, reason=DIED_TOO_OFTEN, charged=False)
    return interrupted(job, begun=begun, policy=policy, now=now)


def proven(job: Job, *, begun: datetime, now: datetime) -> Job:
    """Give *job* as it is when its worker died after noting that the relay accepted the mail."""
    return job.sent(Attempt(start_time=begun, end_time=now, kind=Kind.ACCEPTED, text=FOUND_ACCEPTED))
