"""Lists among many jobs, by index only. Oracle: the server's own profile of each query shape."""

from collections.abc import Iterator
from datetime import timedelta

from pymongo.database import Database

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_reader import MongoJobList
from gcsched.domain.ids import new_id
from gcsched.domain.job import State
from gcsched.domain.job_list import ALLOWED_ORDERS, Cursor, JobFilter, JobListQuery
from tests.support.builders import NOW, a_job
from tests.support.clocks import SECOND
from tests.support.mongo_profile import profile_commands, stages
from tests.support.rows import Row

MANY, IN_ONE_SECOND, EMPLOYEES = 100_000, 10_000, 100
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
    JobFilter(request_id="request-7"),
    JobFilter(id_prefix=new_id(NOW)[:5]),
]


def many_rows() -> Iterator[Row]:
    """Make jobs of which 10,000 at a time are due in one second, half of them still waiting.

    None has a dedup key, as if each had been asked for again by the same id when it had ended.
    """
    ordinary = encode(a_job(dedup_key=None))
    for number in range(MANY):
        created = NOW + number * timedelta(milliseconds=1)
        employee = number // 2 % EMPLOYEES
        yield ordinary | {
            "_id": new_id(created),
            "state": ("SCHEDULED", "SENT")[number % 2],
            "empid": f"E{employee}",
            "email": f"{employee}@example.org",
            "folded": f"{employee}@example.org",
            "request_id": f"request-{employee}",
            "created": created,
            "due": NOW + number // IN_ONE_SECOND * SECOND,
        }


def find_middle(rows: list[Row], wanted: JobFilter) -> Cursor:
    """Give a place deep in the list, amid many that are due in the same second."""
    state = wanted.state or State.SCHEDULED
    employees = {f"E{each}" for each in range(EMPLOYEES)} if not wanted.empid else {wanted.empid}
    if wanted.email:
        employees = {"E" + wanted.email.partition("@")[0]}
    if wanted.request_id:
        employees = {"E" + wanted.request_id.removeprefix("request-")}
    half = rows[MANY // 2 + IN_ONE_SECOND // 2 :]
    row = next(row for row in half if row["state"] == state and row["empid"] in employees)
    return Cursor(id=row["_id"], due_time=row["due"])


async def test_each_page_and_count_looks_only_at_what_it_gives(
    mongo: Mongo, raw: Database[Row]
) -> None:
    rows = list(many_rows())
    raw["jobs"].insert_many(rows, ordered=False)
    wasteful = []
    for wanted in FILTERS:
        for order in ALLOWED_ORDERS[wanted.given_fields]:
            asked = JobListQuery(filter=wanted, order=order)
            for after in (None, find_middle(rows, wanted)):
                wasteful += await find_wasteful_reads(mongo, raw, asked, after)
        wasteful += await find_wasteful_counts(mongo, raw, wanted)

    assert wasteful == []


async def find_wasteful_reads(
    mongo: Mongo, raw: Database[Row], asked: JobListQuery, after: Cursor | None
) -> list[str]:
    """Read a page; tell of each query that scanned, sorted, or looked at more than twice of it."""

    async def use(mongo: Mongo) -> None:
        lists = MongoJobList(mongo=mongo)
        page = await lists.read_page(asked, after, most=PAGE, is_full=False)
        assert len(page.jobs) == PAGE

    profile = await profile_commands(mongo, raw, use)
    assert profile, "nothing was profiled"
    return [
        f"{asked} after {after}: {stages(each['execStats'])}, {each['keysExamined']} keys"
        for each in profile
        if {"COLLSCAN", "SORT"} & set(stages(each["execStats"]))
        or max(each["keysExamined"], each["docsExamined"]) > 2 * each["nreturned"]
    ]


async def find_wasteful_counts(mongo: Mongo, raw: Database[Row], wanted: JobFilter) -> list[str]:
    """Count up to 10,000; tell of a count that scanned, or looked at more than keys and limit."""
    counts = []

    async def use(mongo: Mongo) -> None:
        counts.append(await MongoJobList(mongo=mongo).count(wanted, most=10_001))

    *looks, done = await profile_commands(mongo, raw, use)
    [count] = counts
    assert all(each["keysExamined"] <= 2 for each in looks), looks
    looked = f"count of {wanted}: {done['planSummary']}, {done['keysExamined']} keys"
    is_by_index = done["planSummary"].startswith("IXSCAN") and not done["docsExamined"]
    return [] if is_by_index and done["keysExamined"] <= count + 1 else [looked]
