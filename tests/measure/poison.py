"""Store corrupt documents, for every field of every collection, and count a service's other mails.

    python -m tests.measure.poison --json docs/measurements/poison.json

Corrupt documents stay while the next field is tried; at the end the service is killed and restarted
with all of them. Prints figures; `problems` lists what was not as expected.
"""

import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
from pymongo import MongoClient
from pymongo.database import Database

from gcsched.pb import task_pb2
from tests.measure.delivery import Figures, seconds_from_now
from tests.measure.survive import Scenarios, run_scenarios
from tests.scenarios.cluster import Cluster, a_cluster
from tests.support.poisons import (
    JOB_FIELDS,
    Poison,
    poison_jobs,
    poison_other_collections,
    poison_runs,
    store_poisons,
)
from tests.support.service_process import Stub, a_meet, scheduler_stub
from tests.support.wait import until

MAILS = 10
TIMEOUT_SECONDS = 30.0
LATE_SECONDS = 2.0
RESTARTS = 3
# The log events of a defect; after the first one, each with the name it had in earlier versions.
DEFECTS = (
    "call failed",
    *("delivery crashed", "delivery broke"),
    *("task cancelled", "part cut off"),
)


async def matrix(folder: Path) -> Figures:
    """Send ten mails beside each corrupt field, and a hundred after each of three restarts."""
    async with a_cluster(folder) as cluster:
        with MongoClient[dict[str, Any]](
            cluster.mongo.uri,
            datetime_conversion="DATETIME_CLAMP",
            unicode_decode_error_handler="replace",
        ) as client:
            seen = await measure_each_field(cluster, client.get_default_database())
        restarts = [await after_restart(cluster, number) for number in range(RESTARTS)]
        logged = Counter(read_events(cluster))
    problems = [f"{field}: {each}" for field, each in seen.items() if is_bad(each)]
    problems += [f"restart: {each}" for each in restarts if each["missing"]]
    problems += [f"logged {logged[event]} times: {event}" for event in DEFECTS if logged[event]]
    return {
        "spoilt_documents": sum(each["spoilt"] for each in seen.values()),
        "worst_late_seconds": max(each["late_seconds"] for each in seen.values()),
        "beside_each_field": seen,
        "after_restarts": restarts,
        "log": dict(logged.most_common(25)),
        "problems": problems,
    }


def is_bad(seen: Figures) -> bool:
    return bool(seen["missing"] or seen["refused"] or seen["late_seconds"] > LATE_SECONDS)


async def measure_each_field(
    cluster: Cluster, database: Database[dict[str, Any]]
) -> dict[str, Figures]:
    poisons: dict[str, list[Poison]] = {
        f"jobs.{name}": [*poison_jobs([name])] for name in JOB_FIELDS
    }
    for each in poison_other_collections():
        poisons.setdefault(f"{each.collection}.{each.field}", []).append(each)
    seen: dict[str, Figures] = {}
    for number, (field, rows) in enumerate(poisons.items()):
        stored = store_poisons(database, rows)
        seen[field] = {"spoilt": stored, **await send_mails(cluster, number)}
        print(field, seen[field], flush=True)
    for number, poison in enumerate(poison_runs(str(datetime.now(UTC).date())), start=len(poisons)):
        database["runs"].replace_one({"_id": poison.row["_id"]}, poison.row, upsert=True)
        if number % 10 == 0:
            seen[poison.name] = {"spoilt": 1, **await send_mails(cluster, number)}
    return seen


async def send_mails(cluster: Cluster, number: int, *, count: int = MAILS) -> Figures:
    """Schedule mails due in two seconds; return the greatest lateness and how many are missing.

    Mails of corrupt jobs that can still be read leave as well; they are not counted.
    """
    due = seconds_from_now(2)
    requests = [a_meet(number * 1000 + each, timestamp=due) for each in range(count)]
    refused = 0
    async with scheduler_stub(cluster.services[0].target) as stub:
        for request in requests:
            refused += await is_refused(stub, request)
        reads = await check_reads(stub)
    recipients = [request.emailID for request in requests]
    with suppress(AssertionError):  # reported as `missing`
        await until(
            lambda: not missing_recipients(cluster, recipients), within=TIMEOUT_SECONDS, every=0.2
        )
    arrivals = cluster.arrivals()
    times = [arrivals[each][0] - due for each in recipients if each in arrivals]
    return {
        "late_seconds": round(max(times, default=TIMEOUT_SECONDS), 2),
        "missing": len(missing_recipients(cluster, recipients)),
        "refused": refused,
        "status_and_lists": reads,
    }


def missing_recipients(cluster: Cluster, recipients: Sequence[str]) -> list[str]:
    arrivals = cluster.arrivals()
    return [each for each in recipients if each not in arrivals]


async def is_refused(stub: Stub, request: task_pb2.MeetRequest) -> bool:
    try:
        await stub.ScheduleMeet(request, timeout=10)
    except grpc.aio.AioRpcError:
        return True
    return False


async def check_reads(stub: Stub) -> str:
    empid = task_pb2.JobFilter(empid="POISON")
    calls: dict[str, Any] = {
        "GetStatus": task_pb2.GetStatusRequest(),
        "ListJobs": task_pb2.ListJobsRequest(filter=empid, page_size=200),
        "CountJobs": task_pb2.CountJobsRequest(filter=empid),
        "ListSuppressions": task_pb2.ListSuppressionsRequest(page_size=200),
    }
    for name, request in calls.items():
        try:
            await getattr(stub, name)(request, timeout=10)
        except grpc.aio.AioRpcError as error:
            return f"{name}: {error.code().name}"
    return "OK"


async def after_restart(cluster: Cluster, number: int) -> Figures:
    [service] = cluster.services
    await service.kill()
    started = time.monotonic()
    await service.start()
    ready = round(time.monotonic() - started, 2)
    return {"ready_seconds": ready, **await send_mails(cluster, 5_000 + number, count=100)}


def read_events(cluster: Cluster) -> list[str]:
    lines = cluster.services[0].log.splitlines()
    return [json.loads(line)["event"] for line in lines if line.startswith("{")]


SCENARIOS: Scenarios = {"matrix": matrix}


if __name__ == "__main__":
    run_scenarios("tests.measure.poison", __doc__, SCENARIOS)
