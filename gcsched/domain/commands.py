"""What a caller may want of a job that is there already. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import assert_never

from gcsched.domain.checks import Checked
from gcsched.domain.due import DailyPlan
from gcsched.domain.job import Job, State
from gcsched.domain.job_list import JobFilter
from gcsched.domain.request import second_violations
from gcsched.domain.suppression import Suppression
from gcsched.domain.validation import reason_violations
from gcsched.errors import Violation

RESOLUTIONS = (State.SENT, State.FAILED)
NEEDS_ALL = Violation("all", "must be true where no filter is given: all jobs would be changed")
NOT_BY_ID = Violation(
    "filter.id_prefix", "must be empty here: use state, empid or email, or the methods for one job"
)


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


def cancel(reason: str) -> Checked[Cancel]:
    yield from reason_violations(reason)
    return Cancel(reason=reason)


def reschedule(
    timestamp: int, *, plan: DailyPlan, keep_trying: timedelta, now: datetime
) -> Checked[Reschedule]:
    """Understand *timestamp* as in a request: Unix seconds, 0 = the next daily run."""
    wrong = list(second_violations("timestamp", timestamp, now, zero="the next daily run"))
    yield from wrong
    is_daily = timestamp == 0 or bool(wrong)
    due = plan.instant(plan.next_day(now)) if is_daily else datetime.fromtimestamp(timestamp, UTC)
    return Reschedule(due=due, is_daily=is_daily, keep_trying=keep_trying)


def resolve(state: State | None, reason: str) -> Checked[Resolve]:
    if state is None or state not in RESOLUTIONS:
        yield Violation("state", "must be SENT or FAILED")
        state = State.SENT
    yield from reason_violations(reason)
    return Resolve(state=state, reason=reason)


def bulk_violations(wanted: JobFilter, *, is_all: bool) -> Checked[None]:
    """Check which jobs are to be changed at once; all of them only where the caller *is_all*."""
    if wanted == JobFilter() and not is_all:
        yield NEEDS_ALL
    if wanted.id_prefix:
        yield NOT_BY_ID


def is_met(wish: Wish, job: Job, *, now: datetime) -> bool:
    """Tell whether *job* is so already: whoever repeats a call gets the same answer."""
    match wish:
        case Cancel():
            return job.state is State.CANCELLED
        case Reschedule(is_daily=True):
            return job.state is State.QUEUED and job.due_time == wish.due
        case Reschedule():
            is_timed = job.is_withdrawable and job.state is not State.QUEUED
            return is_timed and from_now_on(job.due_time, now) == from_now_on(wish.due, now)
        case Reopen():
            return job.state is State.RETRYING and job.due_time <= now
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
        return (found.state, found.state_time) == (wanted.state, wanted.state_time)
    return found.version > wanted.version and found.expire_time == wanted.expire_time


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
