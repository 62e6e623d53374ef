"""Measure what many waiting jobs cost, and many that are due in the same second.

python -m tests.measure.many_jobs [SCENARIO …] --json docs/measurements/crowd.json
"""

import asyncio
import json
import math
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from psutil import Process
from pymongo import MongoClient
from redis.asyncio import Redis

from tests.measure.delivery import Figures, count_sent_by_service, mail_figures, seconds_from_now
from tests.measure.survive import A_MONTH_SECONDS, Scenarios, run_scenarios
from tests.scenarios.cluster import Cluster, a_cluster
from tests.support.probes import probe_http
from tests.support.service_process import ServiceProcess, a_meet

BATCH_SIZE = 2_000


async def a_million(folder: Path) -> Figures:
    """One million jobs for next month: 100,000 by calls, nine copies of each inside MongoDB."""
    async with a_cluster(folder) as stage:
        await fill(stage, 10_000, due=seconds_from_now(A_MONTH_SECONDS))
        before = {"service_mb": memory(stage), "redis_bytes": await redis_memory(stage)}
        await fill(stage, 100_000, due=seconds_from_now(A_MONTH_SECONDS), first=10_000)
        called = {"service_mb": memory(stage), "redis_bytes": await redis_memory(stage)}
        multiply(stage, 9)
        await asyncio.sleep(150)  # two counts and fifteen sweeps
        after = {"service_mb": memory(stage), "redis_bytes": await redis_memory(stage)}
        return {
            "jobs": count(stage),
            "before": before,
            "after_100_000_calls": called,
            "after_1_000_000_jobs": after,
            "service_grew_mb": round(after["service_mb"] - before["service_mb"], 1),
            "redis_grew_bytes": after["redis_bytes"] - before["redis_bytes"],
        }


async def all_at_once(folder: Path, services: int) -> Figures:
    """100,000 jobs due in the same second."""
    async with a_cluster(folder, services=services) as stage:
        due = seconds_from_now(150)
        await fill(stage, 100_000, due=due)
        await asyncio.sleep(due - 1 - time.time())
        before = [await read_lag_histogram(service) for service in stage.services]
        peak = [0.0] * services
        async with asyncio.timeout(400):
            while stage.count_mails() < 100_000:
                peak = [max(*each) for each in zip(peak, memories(stage), strict=True)]
                await asyncio.sleep(0.5)
        after = [await read_lag_histogram(service) for service in stage.services]
        took = max(max(times) for times in stage.arrivals().values()) - due
        await asyncio.sleep(3)
        return {
            **mail_figures(stage, 100_000),
            "seconds": round(took, 1),
            "rss_max_mb": peak,
            "loop_lag_p99_below_seconds": [
                lag_quantile(one, two, 0.99) for one, two in zip(before, after, strict=True)
            ],
            "first_mail_of_each_after_seconds": [
                first_send_time(each) - due for each in stage.services
            ],
            "sent_by": count_sent_by_service(stage),
        }


async def fill(stage: Cluster, count: int, *, due: int, first: int = 0) -> None:
    """Ask for *count* mails, as fast as the services take them."""
    for begin in range(first, first + count, BATCH_SIZE):
        numbers = range(begin, min(begin + BATCH_SIZE, first + count))
        made = await stage.call(a_meet(number, timestamp=due) for number in numbers)
        assert all(call.code == "OK" for call in made)


def multiply(stage: Cluster, times: int) -> None:
    """Copy every job inside MongoDB, each with an id and a key of its own."""
    with MongoClient[dict[str, Any]](stage.mongo.uri) as client:
        jobs = client.get_default_database()["jobs"]
        jobs.aggregate([{"$out": "originals"}])
        for number in range(times):
            copy = {name: {"$concat": [f"${name}", f"-{number}"]} for name in ("_id", "dedup_key")}
            into = {"into": "jobs", "whenMatched": "fail", "whenNotMatched": "insert"}
            client.get_default_database()["originals"].aggregate([{"$set": copy}, {"$merge": into}])


def count(stage: Cluster) -> int:
    with MongoClient[dict[str, Any]](stage.mongo.uri) as client:
        return client.get_default_database()["jobs"].count_documents({})


def memory(stage: Cluster) -> float:
    return memories(stage)[0]


def memories(stage: Cluster) -> list[float]:
    """Give the resident memory of each service in MB."""
    return [round(Process(each.pid).memory_info().rss / 1e6, 1) for each in stage.services]


async def redis_memory(stage: Cluster) -> int:
    async with Redis.from_url(stage.valkey.uri) as redis:
        return int((await redis.info("memory"))["used_memory_dataset"])


async def read_lag_histogram(service: ServiceProcess) -> dict[float, float]:
    """Read the histogram: upper bound in seconds → how many were at most that."""
    async with probe_http(service.http) as looker:
        seen = (await looker.scrape()).by("le", "gcsched_event_loop_lag_seconds_bucket")
    return {float(bound): value for bound, value in seen.items()}


def lag_quantile(before: dict[float, float], after: dict[float, float], share: float) -> float:
    """Give the bound of the bucket in which that share of what came between is reached."""
    between = {bound: after[bound] - before.get(bound, 0) for bound in sorted(after)}
    return next(bound for bound, seen in between.items() if seen >= share * between[math.inf])


def first_send_time(service: ServiceProcess) -> float:
    """Read from the log when *service* sent its first mail."""
    line = next(line for line in service.log.splitlines() if '"job sent"' in line)
    return datetime.fromisoformat(json.loads(line)["timestamp"]).timestamp()


SCENARIOS: Scenarios = {
    "a_million": a_million,
    "all_at_once": lambda folder: all_at_once(folder, 1),
    "all_at_once_on_three": lambda folder: all_at_once(folder, 3),
}


if __name__ == "__main__":
    run_scenarios("tests.measure.many_jobs", __doc__, SCENARIOS)
