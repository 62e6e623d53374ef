"""Measure memory with a million waiting jobs, and the delivery of 100,000 due in one second.

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
    """Store a million jobs for next month: 100,000 by calls, and nine copies inside MongoDB."""
    async with a_cluster(folder) as cluster:
        await fill(cluster, 10_000, due=seconds_from_now(A_MONTH_SECONDS))
        before = {"service_mb": memory(cluster), "redis_bytes": await redis_memory(cluster)}
        await fill(cluster, 100_000, due=seconds_from_now(A_MONTH_SECONDS), first=10_000)
        called = {"service_mb": memory(cluster), "redis_bytes": await redis_memory(cluster)}
        multiply(cluster, 9)
        await asyncio.sleep(150)  # long enough for two counts of the jobs and fifteen sweeps
        after = {"service_mb": memory(cluster), "redis_bytes": await redis_memory(cluster)}
        return {
            "jobs": count_jobs(cluster),
            "before": before,
            "after_100_000_calls": called,
            "after_1_000_000_jobs": after,
            "service_grew_mb": round(after["service_mb"] - before["service_mb"], 1),
            "redis_grew_bytes": after["redis_bytes"] - before["redis_bytes"],
        }


async def all_at_once(folder: Path, services: int) -> Figures:
    """Deliver 100,000 jobs that are due in the same second."""
    async with a_cluster(folder, services=services) as cluster:
        due = seconds_from_now(150)
        await fill(cluster, 100_000, due=due)
        await asyncio.sleep(due - 1 - time.time())
        before = [await read_lag_histogram(service) for service in cluster.services]
        peak = [0.0] * services
        async with asyncio.timeout(400):
            while cluster.count_mails() < 100_000:
                peak = [max(*each) for each in zip(peak, memories(cluster), strict=True)]
                await asyncio.sleep(0.5)
        after = [await read_lag_histogram(service) for service in cluster.services]
        took = max(max(times) for times in cluster.arrivals().values()) - due
        await asyncio.sleep(3)
        return {
            **mail_figures(cluster, 100_000),
            "seconds": round(took, 1),
            "rss_max_mb": peak,
            "loop_lag_p99_below_seconds": [
                lag_quantile(one, two, 0.99) for one, two in zip(before, after, strict=True)
            ],
            "first_mail_of_each_after_seconds": [
                first_send_time(each) - due for each in cluster.services
            ],
            "sent_by": count_sent_by_service(cluster),
        }


async def fill(cluster: Cluster, count: int, *, due: int, first: int = 0) -> None:
    """Schedule *count* mails as fast as the services accept them."""
    for start in range(first, first + count, BATCH_SIZE):
        numbers = range(start, min(start + BATCH_SIZE, first + count))
        made = await cluster.call(a_meet(number, timestamp=due) for number in numbers)
        assert all(call.code == "OK" for call in made)


def multiply(cluster: Cluster, times: int) -> None:
    """Copy every job *times* times inside MongoDB, each with its own id and dedup key."""
    with MongoClient[dict[str, Any]](cluster.mongo.uri) as client:
        jobs = client.get_default_database()["jobs"]
        jobs.aggregate([{"$out": "originals"}])
        for number in range(times):
            copy = {name: {"$concat": [f"${name}", f"-{number}"]} for name in ("_id", "dedup_key")}
            into = {"into": "jobs", "whenMatched": "fail", "whenNotMatched": "insert"}
            client.get_default_database()["originals"].aggregate([{"$set": copy}, {"$merge": into}])


def count_jobs(cluster: Cluster) -> int:
    with MongoClient[dict[str, Any]](cluster.mongo.uri) as client:
        return client.get_default_database()["jobs"].count_documents({})


def memory(cluster: Cluster) -> float:
    return memories(cluster)[0]


def memories(cluster: Cluster) -> list[float]:
    """Return the resident memory of each service in MB."""
    return [round(Process(each.pid).memory_info().rss / 1e6, 1) for each in cluster.services]


async def redis_memory(cluster: Cluster) -> int:
    async with Redis.from_url(cluster.valkey.uri) as redis:
        return int((await redis.info("memory"))["used_memory_dataset"])


async def read_lag_histogram(service: ServiceProcess) -> dict[float, float]:
    """Read the histogram: upper bound in seconds → number of values up to it."""
    async with probe_http(service.http) as http:
        seen = (await http.scrape()).by("le", "gcsched_event_loop_lag_seconds_bucket")
    return {float(bound): value for bound, value in seen.items()}


def lag_quantile(before: dict[float, float], after: dict[float, float], share: float) -> float:
    """Return the upper bound of the bucket that holds the quantile *share* of the lags between."""
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
