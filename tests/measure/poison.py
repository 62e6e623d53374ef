"""Spoil every field of every collection in every way beside a real service, and count its mails.

    python -m tests.measure.poison --json docs/measurements/poison.json

Spoilt documents stay when the next field comes, and the service is killed and begun again among all
of them. Prints what was seen; `problems` lists what was not as it has to be.
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
DEFECTS = {"call failed", "delivery broke", "part cut off"}


async def matrix(folder: Path) -> Figures:
    """Ten mails beside each spoilt field, and a hundred after each of three restarts."""
    async with a_cluster(folder) as stage:
        with MongoClient[dict[str, Any]](
            stage.mongo.uri,
            datetime_conversion="DATETIME_CLAMP",
            unicode_decode_error_handler="replace",
        ) as client:
            seen = await measure_each_field(stage, client.get_default_database())
        restarts = [await after_restart(stage, number) for number in range(RESTARTS)]
        words = Counter(events(stage))
    problems = [f"{field}: {each}" for field, each in seen.items() if is_bad(each)]
    problems += [f"restart: {each}" for each in restarts if each["missing"]]
    problems += [f"logged {words[event]} times: {event}" for event in DEFECTS if words[event]]
    return {
        "spoilt_documents": sum(each["spoilt"] for each in seen.values()),
        "worst_late_seconds": max(each["late_seconds"] for each in seen.values()),
        "beside_each_field": seen,
        "after_restarts": restarts,
        "log": dict(words.most_common(25)),
        "problems": problems,
    }


def is_bad(seen: Figures) -> bool:
    return bool(seen["missing"] or seen["refused"] or seen["late_seconds"] > LATE_SECONDS)


async def measure_each_field(
    stage: Cluster, database: Database[dict[str, Any]]
) -> dict[str, Figures]:
    poisons: dict[str, list[Poison]] = {
        f"jobs.{name}": [*poison_jobs([name])] for name in JOB_FIELDS
    }
    for each in poison_other_collections():
        poisons.setdefault(f"{each.collection}.{each.field}", []).append(each)
    seen: dict[str, Figures] = {}
    for number, (field, rows) in enumerate(poisons.items()):
        stored = store_poisons(database, rows)
        seen[field] = {"spoilt": stored, **await send_mails(stage, number)}
        print(field, seen[field], flush=True)
    for number, poison in enumerate(poison_runs(str(datetime.now(UTC).date())), start=len(poisons)):
        database["runs"].replace_one({"_id": poison.row["_id"]}, poison.row, upsert=True)
        if number % 10 == 0:
            seen[poison.name] = {"spoilt": 1, **await send_mails(stage, number)}
    return seen


async def send_mails(stage: Cluster, number: int, *, count: int = MAILS) -> Figures:
    """Ask for mails that are due in a second; tell how late the last one was, and what is missing.

    Mails that are spoilt and can be read leave as well: they are not counted.
    """
    due = seconds_from_now(2)
    wanted = [a_meet(number * 1000 + each, timestamp=due) for each in range(count)]
    refused = 0
    async with scheduler_stub(stage.services[0].target) as stub:
        for request in wanted:
            refused += await is_refused(stub, request)
        answered = await check_reads(stub)
    recipients = [request.emailID for request in wanted]
    with suppress(AssertionError):  # told as missing
        await until(
            lambda: not missing_recipients(stage, recipients), within=TIMEOUT_SECONDS, every=0.2
        )
    arrivals = stage.arrivals()
    times = [arrivals[each][0] - due for each in recipients if each in arrivals]
    return {
        "late_seconds": round(max(times, default=TIMEOUT_SECONDS), 2),
        "missing": len(missing_recipients(stage, recipients)),
        "refused": refused,
        "status_and_lists": answered,
    }


def missing_recipients(stage: Cluster, recipients: Sequence[str]) -> list[str]:
    arrivals = stage.arrivals()
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


async def after_restart(stage: Cluster, number: int) -> Figures:
    [service] = stage.services
    await service.kill()
    begun = time.monotonic()
    await service.start()
    ready = round(time.monotonic() - begun, 2)
    return {"ready_seconds": ready, **await send_mails(stage, 5_000 + number, count=100)}


def events(stage: Cluster) -> list[str]:
    lines = stage.services[0].log.splitlines()
    return [json.loads(line)["event"] for line in lines if line.startswith("{")]


SCENARIOS: Scenarios = {"matrix": matrix}


if __name__ == "__main__":
    run_scenarios("tests.measure.poison", __doc__, SCENARIOS)
