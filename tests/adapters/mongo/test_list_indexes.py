"""Lists among 100,000 jobs, by index only. Oracle: the server's own profile of each query."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from pymongo.database import Database

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_reader import MongoJobList
from gcsched.domain.ids import new_id
from gcsched.domain.job import State
from gcsched.domain.job_list import ALLOWED_ORDERS, Cursor, JobFilter, JobListQuery
from tests.support.builders import NOW, a_job, an_invitation
from tests.support.clocks import SECOND
from tests.support.mongo_profile import profile_commands, stages
from tests.support.rows import Row

MANY, IN_ONE_SECOND, EMPLOYEES = 100_000, 10_000, 100
INVITED_EMPLOYEES = (6, 77)  # each of them to one meeting, by many jobs
PAGE = 50

WAITING = JobFilter(state=State.SCHEDULED)
FILTERS = [
    JobFilter(),
    WAITING,
    JobFilter(state=State.SCHEDULED, due_time_from=NOW + SECOND),
    JobFilter(state=State.SCHEDULED, due_time_before=NOW + 8 * SECOND),
    JobFilter(state=State.SCHEDULED, due_time_from=NOW + SECOND, due_time_before=NOW + 8 * SECOND),
    JobFilter(empid="E7"),
    JobFilter(email="7@example.org"),
    JobFilter(request_id="request-6"),
    JobFilter(id_prefix=new_id(NOW)[:5]),
    JobFilter(meeting_id="meeting-6"),
    JobFilter(meeting_id="meeting-77", client="payroll"),
    JobFilter(client="payroll"),
    JobFilter(state=State.SCHEDULED, client="payroll"),
    JobFilter(state=State.SCHEDULED, due_time_from=NOW + SECOND, client="payroll"),
    JobFilter(empid="E77", client="payroll"),
    JobFilter(email="77@example.org", client="payroll"),
    JobFilter(request_id="request-77"),
    JobFilter(request_id="request-77", client="payroll"),
    JobFilter(id_prefix=new_id(NOW)[:5], client="payroll"),
]


@pytest.fixture
def mongo_uri(new_mongo_uri: str) -> str:
    """A new database: a list among the values of an earlier test changes an index for good."""
    return new_mongo_uri


def many_rows() -> Iterator[Row]:
    """Make jobs of which 10,000 at a time are due in one second, half of them still waiting.

    Those of each second employee are of the client payroll, of the others of none. None has a dedup
    key, as if each had ended and its request id had been used again.
    """
    ordinary, invited = encode(a_job(dedup_key=None)), encode(an_invitation(dedup_key=None))
    for number in range(MANY):
        created = NOW + number * timedelta(milliseconds=1)
        employee = number // 2 % EMPLOYEES
        is_invited = employee in INVITED_EMPLOYEES
        meeting = {"invitation": invited["invitation"] | {"meeting": f"meeting-{employee}"}}
        yield (invited | meeting if is_invited else ordinary) | {
            "_id": new_id(created),
            "state": ("SCHEDULED", "SENT")[number % 2],
            "empid": f"E{employee}",
            "email": f"{employee}@example.org",
            "folded": f"{employee}@example.org",
            **({"client": "payroll"} if employee % 2 else {}),
            ("own_request_id" if employee % 2 else "request_id"): f"request-{employee}",
            "created": created,
            "due": NOW + number // IN_ONE_SECOND * SECOND,
        }


def find_middle(rows: list[Row], job_filter: JobFilter) -> Cursor:
    """Return a place deep in the list, among many that are due in the same second."""
    state = job_filter.state or State.SCHEDULED
    employees = (
        {f"E{each}" for each in range(EMPLOYEES)} if not job_filter.empid else {job_filter.empid}
    )
    if job_filter.email:
        employees = {"E" + job_filter.email.partition("@")[0]}
    if job_filter.request_id:
        employees = {"E" + job_filter.request_id.removeprefix("request-")}
    if job_filter.meeting_id:
        employees = {"E" + job_filter.meeting_id.removeprefix("meeting-")}
    if job_filter.client:
        employees &= {f"E{each}" for each in range(1, EMPLOYEES, 2)}
    half = rows[MANY // 2 + IN_ONE_SECOND // 2 :]
    row = next(row for row in half if row["state"] == state and row["empid"] in employees)
    return Cursor(id=row["_id"], due_time=row["due"])


async def test_every_page_and_count_reads_only_what_it_returns(
    mongo: Mongo, raw: Database[Row]
) -> None:
    rows = list(many_rows())
    raw["jobs"].insert_many(rows, ordered=False)
    wasteful = []
    for job_filter in FILTERS:
        for order in ALLOWED_ORDERS[job_filter.given_fields]:
            listing = JobListQuery(filter=job_filter, order=order)
            for after in (None, find_middle(rows, job_filter)):
                wasteful += await find_wasteful_reads(mongo, raw, listing, after)
        wasteful += await find_wasteful_counts(mongo, raw, job_filter)

    assert wasteful == []


async def find_wasteful_reads(
    mongo: Mongo, raw: Database[Row], listing: JobListQuery, after: Cursor | None
) -> list[str]:
    """Read a page; return each query that scanned, sorted, or read more than twice the page."""

    async def use(mongo: Mongo) -> None:
        lists = MongoJobList(mongo=mongo)
        page = await lists.read_page(listing, after, most=PAGE, is_full=False)
        assert len(page.jobs) == PAGE

    profile = await profile_commands(mongo, raw, use)
    assert profile, "nothing was profiled"
    return [
        f"{listing} after {after}: {stages(each['execStats'])}, {each['keysExamined']} keys"
        for each in profile
        if {"COLLSCAN", "SORT"} & set(stages(each["execStats"]))
        # A request id is looked for twice: one of the two may find nothing.
        or max(each["keysExamined"], each["docsExamined"]) > max(2 * each["nreturned"], 1)
    ]


async def find_wasteful_counts(
    mongo: Mongo, raw: Database[Row], job_filter: JobFilter
) -> list[str]:
    """Count up to 10,000; return a count that scanned, or read more keys than it counted."""
    counts = []

    async def use(mongo: Mongo) -> None:
        counts.append(await MongoJobList(mongo=mongo).count(job_filter, most=10_001))

    profile = await profile_commands(mongo, raw, use)
    [count] = counts
    done = [each for each in profile if "aggregate" in each["command"]]
    others = [each for each in profile if each not in done]
    assert len(done) == (2 if job_filter.request_id and not job_filter.client else 1)
    assert all(each["keysExamined"] <= 2 for each in others), others
    examined = {name: sum(each[name] for each in done) for name in ("keysExamined", "docsExamined")}
    is_by_index = all(each["planSummary"].startswith("IXSCAN") for each in done)
    # A client is in no index of employees, addresses, request ids or meetings: documents have it.
    named = (job_filter.empid, job_filter.email, job_filter.request_id, job_filter.meeting_id)
    is_read = job_filter.client and any(named)
    is_small = max(examined["keysExamined"], examined["docsExamined"]) <= count + len(done)
    is_covered = bool(is_read) or not examined["docsExamined"]
    description = f"count of {job_filter}: {[each['planSummary'] for each in done]}, {examined}"
    return [] if is_by_index and is_small and is_covered else [description]
