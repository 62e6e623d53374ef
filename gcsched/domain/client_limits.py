"""What the limits of a client allow, and the errors beyond them. Pure."""

import math
from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache

from msgspec.structs import replace

from gcsched.domain.access import NO_LIMITS, Client, ClientLimits
from gcsched.domain.checks import Checked
from gcsched.domain.domains import is_within, parse_domain
from gcsched.domain.token_bucket import RateLimit
from gcsched.errors import ClientLimit, Violation

MAX_NAMED = 20
"""How many domains or templates an error names."""
WAITING_RETRY = timedelta(seconds=5)
DAY = timedelta(days=1)
MIN_CALLS_PER_SECOND = 0.001


class Limit(StrEnum):
    """The limits that are counted, by their names in the clients file."""

    CALLS_PER_SECOND = "calls_per_second"
    JOBS_PER_DAY = "jobs_per_day"
    JOBS_WAITING = "jobs_waiting"


def is_restricted(limits: ClientLimits) -> bool:
    """Return whether *limits* restrict what a request may ask for."""
    return limits is not NO_LIMITS and bool(
        limits.recipient_domains or limits.templates or limits.senders
    )


def is_counted(limits: ClientLimits) -> bool:
    """Return whether *limits* bound how many jobs there may be."""
    return limits is not NO_LIMITS and not (
        limits.jobs_per_day is None and limits.jobs_waiting is None
    )


def may_send(email: str, template: str, limits: ClientLimits) -> bool:
    """Return whether a mail to *email*, a normalised address, with *template* is allowed."""
    return may_mail(email, limits) and (not limits.templates or template in limits.templates)


def may_mail(email: str, limits: ClientLimits) -> bool:
    """Return whether the domain of *email*, a normalised address, is allowed."""
    if not limits.recipient_domains:
        return True
    return is_within(email.rpartition("@")[2], normalise_domains(limits.recipient_domains))


@lru_cache(maxsize=1_000)
def normalise_domains(domains: tuple[str, ...]) -> frozenset[str]:
    """Return *domains* in the spelling that normalised addresses have."""
    parsed = [(parse_domain(domain), domain) for domain in domains]
    return frozenset(known.name if known else domain.lower() for known, domain in parsed)


def without_recipient_limits(client: Client) -> Client:
    """Return *client* for a preview that no recipient gets."""
    if not client.limits.recipient_domains:
        return client
    return replace(client, limits=replace(client.limits, recipient_domains=()))


def recipient_violations(email: str, client: Client) -> Checked[None]:
    """Check the domain of *email*, a normalised address."""
    if not may_mail(email, client.limits):
        named = join_some(client.limits.recipient_domains)
        problem = f"must be at one of the domains that client {client.name!r} may mail: {named}"
        yield Violation("emailID", problem)


def template_limit_violations(
    template: str, client: Client, existing: Collection[str]
) -> Checked[None]:
    """Check *template* of a client that may not use all of the *existing* ones."""
    usable = [name for name in client.limits.templates if name in existing]
    if template not in usable:
        named = join_some(sorted(usable)) or "none of them exists"
        problem = f"must be one of those that client {client.name!r} may use: {named}"
        yield Violation("template", problem)


def join_some(names: Collection[str]) -> str:
    first = list(names)[:MAX_NAMED]
    rest = len(names) - len(first)
    return ", ".join(first) + (f" and {rest} more" if rest else "")


def day_of(now: datetime) -> date:
    """Return the day, by UTC, on which a job counts that is accepted at *now*."""
    return now.astimezone(UTC).date()


def until_midnight(now: datetime) -> timedelta:
    """Return the time from *now* to the end of that day."""
    return datetime.combine(day_of(now) + DAY, time(), UTC) - now


def find_call_limit(limits: ClientLimits) -> RateLimit:
    """Return the rate of calls; without a burst of its own, it is the calls of one second."""
    per_second = limits.calls_per_second or MIN_CALLS_PER_SECOND
    return RateLimit(per_second=per_second, burst=limits.burst or max(1, math.ceil(per_second)))


def call_limit_error(client: Client, *, wait_seconds: float) -> ClientLimit:
    # A millisecond more: a caller that waits so long must not be refused for a rounding error.
    return ClientLimit(
        client.name,
        Limit.CALLS_PER_SECOND,
        f"has made more than its {client.limits.calls_per_second:g} calls per second",
        retry_after=timedelta(milliseconds=int(wait_seconds * 1000) + 1),
    )


def job_limit_error(client: Client, limit: Limit, *, now: datetime) -> ClientLimit:
    """Return the error for a job beyond JOBS_PER_DAY or JOBS_WAITING."""
    if limit is Limit.JOBS_PER_DAY:
        problem = f"has had its {client.limits.jobs_per_day} jobs of this day (UTC)"
        return ClientLimit(client.name, limit, problem, retry_after=until_midnight(now))
    problem = f"has {client.limits.jobs_waiting} jobs waiting to be sent, as many as it may have"
    return ClientLimit(client.name, limit, problem, retry_after=WAITING_RETRY)
