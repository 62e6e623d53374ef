"""What a caller may want of a job that is there already. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import assert_never

from gcsched.domain.due import DailyPlan
from gcsched.domain.job import Job, State
from gcsched.domain.request import second_violations
from gcsched.domain.suppression import Suppression
from gcsched.domain.validation import text_violations
from gcsched.errors import InvalidRequest, Violation

LONGEST_REASON = 256
RESOLUTIONS = (State.SENT, State.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reschedule:
    """Send it at *due*, at once when that is over, or with the daily run that comes then.

    It may be sent for *keep_trying* after that at least.
    """

    due: datetime
    is_daily: bool
    keep_trying: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopen:
    """Try again, now, for *keep_trying*; an employee gets no other mail for a *window* then."""

    keep_trying: timedelta
    window: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve:
    """Take somebody's word for what became of it."""

    state: State
    reason: str


Wish = Cancel | Reschedule | Reopen | Resolve


def cancel(reason: str) -> Cancel:
    refuse(reason_violations(reason))
    return Cancel(reason=reason)


def reschedule(
    timestamp: int, *, plan: DailyPlan, keep_trying: timedelta, now: datetime
) -> Reschedule:
    """Understand *timestamp* as in a request: Unix seconds, 0 = the next daily run."""
    refuse(list(second_violations("timestamp", timestamp, now, zero="the next daily run")))
    is_daily = timestamp == 0
    asked = datetime.fromtimestamp(timestamp, UTC)
    due = plan.instant(plan.next_day(now)) if is_daily else asked
    return Reschedule(due=due, is_daily=is_daily, keep_trying=keep_trying)


def resolve(state: State | None, reason: str) -> Resolve:
    violations = reason_violations(reason)
    if state is None or state not in RESOLUTIONS:
        raise InvalidRequest([Violation("state", "must be SENT or FAILED"), *violations])
    refuse(violations)
    return Resolve(state=state, reason=reason)


def reason_violations(reason: str) -> list[Violation]:
    return list(text_violations("reason", reason, at_least=0, at_most=LONGEST_REASON))


def refuse(violations: list[Violation]) -> None:
    if violations:
        raise InvalidRequest(violations)


def is_met(wish: Wish, job: Job, *, now: datetime) -> bool:
    """Tell whether *job* is so already: whoever repeats a call gets the same answer."""
    match wish:
        case Cancel():
            return job.state is State.CANCELLED
        case Reschedule(is_daily=True):
            return job.state is State.QUEUED and job.due == wish.due
        case Reschedule():
            is_timed = job.is_withdrawable and job.state is not State.QUEUED
            return is_timed and from_now_on(job.due, now) == from_now_on(wish.due, now)
        case Reopen():
            return job.state is State.RETRYING and job.due <= now
        case Resolve():
            return job.state is wish.state
        case never:
            assert_never(never)


def came_of(wanted: Job, found: Job) -> bool:
    """Return whether *found* is *wanted*, or became of it: the change to *wanted* was made.

    Two changes of one version differ in their millisecond. What has gone on since, as a job that
    was opened again does, still has the end of its time that the change gave it.
    """
    if found.version == wanted.version or wanted.state is State.CANCELLED:
        return (found.state, found.since) == (wanted.state, wanted.since)
    return found.version > wanted.version and found.not_after == wanted.not_after


def carried_out(wish: Wish, job: Job, *, suppression: Suppression | None, now: datetime) -> Job:
    """Give *job* as it is wanted, or raise IllegalTransition.

    *suppression* is that of its address, if there is one.
    """
    match wish:
        case Cancel():
            return job.cancelled(now, reason=wish.reason)
        case Reschedule():
            due = from_now_on(wish.due, now)
            return job.rescheduled(
                due, now, is_daily=wish.is_daily, not_after=due + wish.keep_trying
            )
        case Reopen():
            if job.state is State.SUPPRESSED and suppression is not None and suppression.bars(job):
                raise job.refusal(
                    State.RETRYING, why=f"{suppression}; remove the suppression first"
                )
            return job.reopened(
                now, not_after=now + wish.keep_trying, dedup_until=now + wish.window
            )
        case Resolve():
            return job.resolved(wish.state, now, reason=wish.reason)
        case never:
            assert_never(never)


def from_now_on(due: datetime, now: datetime) -> datetime:
    """Give *due* as the engine sees it: what is over is due now."""
    return max(due, now.replace(microsecond=0))
