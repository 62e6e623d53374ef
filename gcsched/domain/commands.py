"""The commands that callers give for existing jobs. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import assert_never

from gcsched.domain.checks import Checked
from gcsched.domain.due import DailyPlan
from gcsched.domain.job import RETRYABLE, Job, State
from gcsched.domain.job_list import JobFilter
from gcsched.domain.meetings.mails import find_expire_time
from gcsched.domain.request import second_violations
from gcsched.domain.suppression import Suppression
from gcsched.domain.validation import reason_violations
from gcsched.errors import Violation

RESCHEDULED_TOO_LATE = "its mail must be sent before the {limit} of its meeting"
RETRIED_TOO_LATE = "the {limit} of its meeting is over"
RESOLUTIONS = (State.SENT, State.FAILED)
ALL_REQUIRED = Violation("all", "must be true if no filter is given, because this changes all jobs")
ID_PREFIX_REFUSED = Violation(
    "filter.id_prefix", "must be empty here: use state, empid or email, or the methods for one job"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """The command not to send the job; *reason* is the caller's, for the job's history."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reschedule:
    """The command to send the job at *schedule_time*: at once if past, or with that daily run.

    It may be sent for *keep_trying* after that at least.
    """

    schedule_time: datetime
    is_daily: bool
    keep_trying: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The command to try again now, for *keep_trying*.

    In *employee* mode the dedup window starts again, for *window*.
    """

    keep_trying: timedelta
    window: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve:
    """The command to settle an UNCERTAIN job, which an operator knows to be SENT or FAILED."""

    state: State
    reason: str


JobCommand = Cancel | Reschedule | Retry | Resolve


def parse_cancel(reason: str) -> Checked[Cancel]:
    yield from reason_violations(reason)
    return Cancel(reason=reason)


def parse_reschedule(
    timestamp: int, *, plan: DailyPlan, keep_trying: timedelta, now: datetime
) -> Checked[Reschedule]:
    """Parse *timestamp* as in a request: Unix seconds, 0 for the next daily run."""
    violations = list(
        second_violations("timestamp", timestamp, now, zero_means="the next daily run")
    )
    yield from violations
    is_daily = timestamp == 0 or bool(violations)  # datetime cannot hold every invalid number
    schedule_time = (
        plan.run_time(plan.next_run_day(now))
        if is_daily
        else datetime.fromtimestamp(timestamp, UTC)
    )
    return Reschedule(schedule_time=schedule_time, is_daily=is_daily, keep_trying=keep_trying)


def parse_resolve(state: State | None, reason: str) -> Checked[Resolve]:
    if state is None or state not in RESOLUTIONS:
        yield Violation("state", "must be SENT or FAILED")
        state = State.SENT
    yield from reason_violations(reason)
    return Resolve(state=state, reason=reason)


def bulk_violations(job_filter: JobFilter, *, is_all: bool) -> Checked[None]:
    """Check the filter of a bulk change; without a filter the caller must have set `all`."""
    if job_filter == JobFilter() and not is_all:
        yield ALL_REQUIRED
    if job_filter.id_prefix:
        yield ID_PREFIX_REFUSED


def is_satisfied(command: JobCommand, job: Job, *, now: datetime) -> bool:
    """Return whether *job* is as *command* makes it, so that a repeated call succeeds as well."""
    match command:
        case Cancel():
            return job.state is State.CANCELLED
        case Reschedule(is_daily=True):
            return job.state is State.QUEUED and job.due_time == command.schedule_time
        case Reschedule():
            is_timed = job.is_withdrawable and job.state is not State.QUEUED
            return is_timed and not_in_past(job.due_time, now) == not_in_past(
                command.schedule_time, now
            )
        case Retry():
            return job.state is State.RETRYING and job.due_time <= now
        case Resolve():
            return job.state is command.state
        case never:
            assert_never(never)


def is_applied(expected: Job, stored: Job) -> bool:
    """Return whether *stored* is *expected* or a later version of it: the change was made.

    Two concurrent changes to the same version differ in their millisecond. A job that went on
    since, as a retried one does at once, still has the expire time that the change gave it.
    """
    if stored.version == expected.version or expected.state is State.CANCELLED:
        return (stored.state, stored.state_time) == (expected.state, expected.state_time)
    return stored.version > expected.version and stored.expire_time == expected.expire_time


def apply(command: JobCommand, job: Job, *, suppression: Suppression | None, now: datetime) -> Job:
    """Return *job* as *command* makes it. Raises IllegalTransition.

    *suppression* is the one of its address, if there is one.
    """
    match command:
        case Cancel():
            return job.cancelled(now, reason=command.reason)
        case Reschedule():
            schedule_time = not_in_past(command.schedule_time, now)
            require_in_time(job, schedule_time, State.SCHEDULED, RESCHEDULED_TOO_LATE)
            expire_time = limit_to_meeting(job, schedule_time + command.keep_trying)
            return job.rescheduled(
                schedule_time, now, is_daily=command.is_daily, expire_time=expire_time
            )
        case Retry():
            if (
                job.state is State.SUPPRESSED
                and suppression is not None
                and suppression.applies_to(job)
            ):
                raise job.transition_error(
                    State.RETRYING, why=f"{suppression}; remove the suppression first"
                )
            require_in_time(job, now, State.RETRYING, RETRIED_TOO_LATE)
            expire_time = limit_to_meeting(job, now + command.keep_trying)
            return job.reset_for_retry(
                now, expire_time=expire_time, dedup_until=now + command.window
            )
        case Resolve():
            return job.resolved(command.state, now, reason=command.reason)
        case never:
            assert_never(never)


def require_in_time(job: Job, moment: datetime, target: State, why: str) -> None:
    """Raise IllegalTransition if the mail of *job* is of no use to its meeting by *moment*.

    Only for a job that could become *target* otherwise: any other error says more.
    """
    can_change = job.state in RETRYABLE if target is State.RETRYING else job.is_withdrawable
    if job.meeting is None or not can_change:
        return
    limit = find_expire_time(job.meeting)
    if moment >= limit:
        name = "start" if limit == job.meeting.revision.start else "end"
        sentence = why.format(limit=name)
        raise job.transition_error(target, why=f"{sentence}, {limit:%Y-%m-%dT%H:%MZ}")


def limit_to_meeting(job: Job, expire_time: datetime) -> datetime:
    """Return *expire_time*, or when the mail of *job* is of no use to its meeting if before."""
    return expire_time if job.meeting is None else min(expire_time, find_expire_time(job.meeting))


def not_in_past(moment: datetime, now: datetime) -> datetime:
    """Return *moment*, or the present second if that is later."""
    return max(moment, now.replace(microsecond=0))
