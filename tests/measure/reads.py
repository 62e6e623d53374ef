"""Measure reads among a million jobs, as callers see them: over gRPC, one call at a time.

    python -m tests.measure.reads [--jobs 1000000] [--json docs/measurements/reads.json]

The jobs are written to MongoDB directly: most are in a final state, some wait, and each day at ten
many are due in the same second. First pages and deep pages are read; a deep page starts after one
of the sampled jobs, the same in each run. Prints figures and checks nothing.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from gcsched.adapters.mongo.codec import encode
from gcsched.domain.attempt import Attempt
from gcsched.domain.ids import new_id
from gcsched.domain.job import Job, State
from gcsched.domain.job_list import ALLOWED_ORDERS, Cursor, JobFilter, JobListQuery
from gcsched.domain.smtp_reply import Kind
from gcsched.pb import task_pb2
from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.scenarios.cluster import a_cluster, quantile
from tests.support.rows import Row
from tests.support.service_process import Stub, scheduler_stub

EMPLOYEES = 10_000
DAYS = 30
BATCH_SIZE = 10_000
SAMPLE_SIZE = 20_000
STATE_WEIGHTS = {
    State.SENT: 800,
    State.SCHEDULED: 100,
    State.QUEUED: 50,
    State.FAILED: 20,
    State.EXPIRED: 10,
    State.CANCELLED: 10,
    State.SUPPRESSED: 5,
    State.RETRYING: 4,
    State.UNCERTAIN: 1,
}
WAITING = {State.SCHEDULED, State.QUEUED, State.RETRYING}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlaces:
    """The positions of a sample of the jobs; deep pages start there."""

    ids: list[str] = field(default_factory=list)
    by_state: dict[str, list[Cursor]] = field(default_factory=dict)
    of_busiest_employee: list[Cursor] = field(default_factory=list)

    def add(self, row: Row, employee: int) -> None:
        place = Cursor(id=row["_id"], due_time=row["due"])
        self.ids.append(place.id)
        self.by_state.setdefault(row["state"], []).append(place)
        if employee == 0:
            self.of_busiest_employee.append(place)


def draw_number(number: int, what: str, below: int) -> int:
    """Return a pseudo-random number below *below*, the same for a job in each run."""
    digest = sha256(f"{what}{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % below


def make_rows(count: int, now: datetime, written: StoredPlaces) -> Iterator[Row]:
    """Yield *count* jobs that were created at even intervals in the last DAYS days."""
    step = timedelta(days=DAYS) / count
    mix = [state for state, share in STATE_WEIGHTS.items() for _ in range(share)]
    for number in range(count):
        state = mix[draw_number(number, "state", len(mix))]
        created = now - timedelta(days=DAYS) + number * step
        employee = draw_number(number, "employee", EMPLOYEES) if number % 100 else 0
        due = due_time_of(number, state, created, now)
        row = encode(a_stored_job(number, employee, state, created, due))
        if state not in WAITING:
            row["delete_after"] = now + timedelta(days=DAYS)
        if number % (1 + count // SAMPLE_SIZE) == 0:
            written.add(row, employee)
        yield row


def due_time_of(number: int, state: State, created: datetime, now: datetime) -> datetime:
    """Return the due time: every other job's is a daily run, a waiting job's is in the future."""
    ahead = 1 if state is State.QUEUED else 1 + draw_number(number, "day", DAYS)
    day = now + timedelta(days=ahead) if state in WAITING else created
    ten = day.replace(hour=10, minute=0, second=0, microsecond=0) + timedelta(days=1)
    if state is State.QUEUED or number % 2:
        return ten
    return ten + timedelta(seconds=draw_number(number, "second", 86_400))


def a_stored_job(number: int, employee: int, state: State, created: datetime, due: datetime) -> Job:
    job_id = new_id(created)
    tried = state not in WAITING - {State.RETRYING}
    attempt = Attempt(
        start_time=due,
        end_time=due + timedelta(seconds=1),
        kind=Kind.ACCEPTED if state is State.SENT else Kind.DEFERRED,
        relay="smtp.example.org:587",
        code=250 if state is State.SENT else 450,
        text="250 at BODY: queued as 4F1A2B3C4D" if state is State.SENT else "450 at RCPT: busy",
    )
    return Job(
        id=job_id,
        state=state,
        empid=f"E{employee:06d}",
        email=f"person.{employee}@example.org",
        message=f"Interview number {number} on Friday at half past ten",
        name=f"Person {employee}",
        create_time=created,
        schedule_time=due,
        due_time=due,
        expire_time=due + timedelta(days=1),
        state_time=due if tried else created,
        message_id=f"{job_id}@example.org",
        dedup_key=f"{number:064x}",
        variables={"room": "A 113", "host": "Grace"},
        labels={"team": "hiring"},
        attempt=int(tried),
        attempts=(attempt,) if tried else (),
    )


def fill(uri: str, count: int, now: datetime) -> tuple[StoredPlaces, Figures]:
    """Insert the jobs into the database that the service has prepared."""
    written, started = StoredPlaces(), time.monotonic()
    with MongoClient[Row](uri, tz_aware=True) as client:
        database = client.get_default_database()
        batch: list[Row] = []
        for row in make_rows(count, now, written):
            batch.append(row)
            if len(batch) == BATCH_SIZE:
                database["jobs"].insert_many(batch, ordered=False)
                batch = []
        if batch:
            database["jobs"].insert_many(batch, ordered=False)
        stats = database.command("collStats", "jobs")
    return written, {
        "jobs": stats["count"],
        "took_seconds": round(time.monotonic() - started, 1),
        "data_mib": round(stats["size"] / 2**20, 1),
        "index_mib": {name: round(size / 2**20, 1) for name, size in stats["indexSizes"].items()},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """A list request, and the positions where its deep pages start."""

    name: str
    filter: task_pb2.JobFilter
    domain_filter: JobFilter
    deep_places: Sequence[Cursor]


def list_queries(written: StoredPlaces, now: datetime) -> Iterator[ListQuery]:
    """Yield one query for each row of the published table, and one for each of some states."""
    anywhere = [Cursor(id=job_id) for job_id in written.ids]
    yield ListQuery(
        name="nothing", filter=task_pb2.JobFilter(), domain_filter=JobFilter(), deep_places=anywhere
    )
    for state in (State.SENT, State.QUEUED, State.FAILED):
        yield ListQuery(
            name=state.value,
            filter=task_pb2.JobFilter(state=state.value),
            domain_filter=JobFilter(state=state),
            deep_places=written.by_state[state.value],
        )
    start, end = now - timedelta(days=20), now - timedelta(days=10)
    between = task_pb2.JobFilter(state=State.SENT.value)
    between.due_time_from.FromDatetime(start)
    between.due_time_before.FromDatetime(end)
    sent = written.by_state[State.SENT.value]
    yield ListQuery(
        name="SENT due in ten days",
        filter=between,
        domain_filter=JobFilter(state=State.SENT, due_time_from=start, due_time_before=end),
        deep_places=[
            place for place in sent if place.due_time is not None and start <= place.due_time < end
        ],
    )
    busiest = written.of_busiest_employee
    yield ListQuery(
        name="empid",
        filter=task_pb2.JobFilter(empid="E000000"),
        domain_filter=JobFilter(empid="E000000"),
        deep_places=busiest,
    )
    yield ListQuery(
        name="email",
        filter=task_pb2.JobFilter(email="person.0@example.org"),
        domain_filter=JobFilter(email="person.0@example.org"),
        deep_places=busiest,
    )


Request = task_pb2.ListJobsRequest


def page_requests(query: ListQuery) -> Iterator[tuple[str, list[Request], int]]:
    """Yield for each order first, deep and long pages; the number divides the calls."""
    for order in ALLOWED_ORDERS[query.domain_filter.given_fields]:
        plain: Row = {"filter": query.filter, "order": order.value}
        listing = JobListQuery(filter=query.domain_filter, order=order)
        mixed = sorted(query.deep_places, key=lambda place: place.id[::-1])
        places = [each if order.is_by_due_time else Cursor(id=each.id) for each in mixed]
        deep = [Request(**plain, page_token=listing.encode_cursor(place)) for place in places]
        name = f"ListJobs {query.name} {order}"
        yield f"{name}: first 50", [Request(**plain)], 1
        yield f"{name}: 50 from deep", deep, 1
        yield f"{name}: first 200 in full", [Request(**plain, page_size=200, view="FULL")], 10


async def time_calls(
    call: Callable[[Any], Awaitable[Any]], requests: Sequence[Any], times: int
) -> Row:
    """Make *times* calls one after the other, with *requests* in turn; return their durations."""
    took = []
    for number in range(times):
        started = time.perf_counter()
        await call(requests[number % len(requests)])
        took.append(time.perf_counter() - started)
    took.sort()
    return {
        "calls": times,
        "p50_ms": round(quantile(took, 0.5) * 1e3, 2),
        "p99_ms": round(quantile(took, 0.99) * 1e3, 2),
        "max_ms": round(took[-1] * 1e3, 2),
    }


async def measure_reads(stub: Stub, written: StoredPlaces, now: datetime, calls: int) -> Figures:
    ids = [task_pb2.GetJobRequest(job_id=job_id) for job_id in written.ids]
    figures = {"GetJob": await time_calls(stub.GetJob, ids[:: 1 + len(ids) // calls], calls)}
    for query in list_queries(written, now):
        for name, requests, rarer in page_requests(query):
            figures[name] = await time_calls(stub.ListJobs, requests, max(1, calls // rarer))
        count = task_pb2.CountJobsRequest(filter=query.filter)
        figures[f"CountJobs {query.name}"] = await time_calls(stub.CountJobs, [count], calls)
    figures["GetStatus"] = await time_calls(stub.GetStatus, [task_pb2.GetStatusRequest()], calls)
    return figures


async def measure(folder: Path, count: int, calls: int) -> Figures:
    async with a_cluster(folder) as cluster:
        now = datetime.now(UTC)
        written, stored = await asyncio.to_thread(fill, cluster.mongo.uri, count, now)
        print("stored", json.dumps(stored), flush=True)
        async with scheduler_stub(cluster.services[0].target) as stub:
            return {"stored": stored, "reads": await measure_reads(stub, written, now, calls)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with a_temporary_folder() as folder:
        measured = asyncio.run(measure(folder, options.jobs, options.calls))
    for name, figures in measured["reads"].items():
        print(f"{figures['p50_ms']:8.2f} {figures['p99_ms']:8.2f} ms  {name}")
    if options.json:
        command = " ".join(["python -m tests.measure.reads", *sys.argv[1:]])
        text = json.dumps(
            {"surroundings": run_metadata() | {"command": command}, **measured}, indent=1
        )
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
