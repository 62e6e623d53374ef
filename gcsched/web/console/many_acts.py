"""The acts on many jobs: on the rows that are ticked, and on all jobs of a filter. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zoneinfo import ZoneInfo

from gcsched.domain.checks import Checked
from gcsched.domain.commands import bulk_violations
from gcsched.domain.ids import etag_of
from gcsched.domain.job import RETRYABLE, WITHDRAWABLE, Job, State
from gcsched.domain.job_list import JobFilter, JobListQuery
from gcsched.domain.validation import job_id_violations
from gcsched.errors import Violation
from gcsched.web.console.job_filters import format_query, parse_filter

MAX_TICKED = 50
"""As many rows as a page of the list has."""
MAX_UNTYPED = 100
"""An act on more jobs of a filter needs their number typed."""
MAX_COUNT_DIGITS = 12
EVERY_JOB = "all"
"""The field of an act on all jobs: a form that has lost its filter must do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyAct:
    """One act, as pages name it, with the methods that it is for one job and for many."""

    name: str
    verb: str
    done: str
    key: str
    method: str
    method_of_many: str
    states: Sequence[State]


CANCEL = ManyAct(
    name="cancel",
    verb="Cancel",
    done="cancelled",
    key="c",
    method="CancelJob",
    method_of_many="CancelJobs",
    states=WITHDRAWABLE,
)
RETRY = ManyAct(
    name="retry",
    verb="Retry",
    done="retried",
    key="r",
    method="RetryJob",
    method_of_many="RetryJobs",
    states=RETRYABLE,
)
MANY_ACTS = (CANCEL, RETRY)


class Tick(NamedTuple):
    """A row that is ticked: the job, and the etag of the version that the row shows."""

    job_id: str
    etag: str


def format_tick(job: Job) -> str:
    """Return the value of the box of *job*."""
    return f"{job.id} {etag_of(job)}"


def parse_ticks(values: Iterable[str]) -> Checked[tuple[Tick, ...]]:
    """Parse the values of the boxes that are ticked, each job once."""
    found = dict.fromkeys(Tick(*each.partition(" ")[::2]) for each in values)
    if not found:
        yield Violation("job", "no row is ticked: tick the rows of the jobs first")
    if len(found) > MAX_TICKED:
        yield Violation("job", f"at most {MAX_TICKED} rows may be ticked")
    for each in found:
        yield from job_id_violations(each.job_id)
        if not each.etag:
            yield Violation("job", "has no etag; tick the rows in the list")
    return tuple(found)


def parse_bulk_query(given: Mapping[str, str], *, zone: ZoneInfo) -> Checked[JobListQuery]:
    """Parse the list whose jobs, all of them, an act is about."""
    query: JobListQuery = yield from parse_filter(given, zone=zone)
    yield from bulk_violations(query.filter, is_all=given.get(EVERY_JOB) == "yes")
    return query


def format_bulk_query(query: JobListQuery) -> dict[str, str]:
    """Return the fields of a form that `parse_bulk_query` reads as the same list."""
    email = {"email": query.filter.email} if query.filter.email else {}
    every = {EVERY_JOB: "yes"} if query.filter == JobFilter() else {}
    return format_query(query) | email | every


def list_bulk_acts(job_filter: JobFilter) -> list[ManyAct]:
    """Return the acts that some job of the filter may allow; none where no method takes it."""
    if job_filter.id_prefix:
        return []
    return [each for each in MANY_ACTS if job_filter.state in {None, *each.states}]


def parse_count(text: str) -> int | None:
    """Return the number in *text*, as people write it (`1,234`); None if it is not one."""
    digits = text.strip().replace(",", "")
    is_number = digits.isdecimal() and digits.isascii() and len(digits) <= MAX_COUNT_DIGITS
    return int(digits) if is_number else None


def number_violations(typed: str, count: int) -> Checked[None]:
    """Yield a violation unless *typed* is *count*, where that is needed."""
    if count > MAX_UNTYPED and parse_count(typed) != count:
        yield Violation("typed", f"must be {count:,}")
