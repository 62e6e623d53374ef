"""Measure what an index on `lease` costs mongod at a claim, a renewal and an outcome of 64 jobs.

    python -m tests.measure.lease_index [--seconds 25] [--json docs/measurements/lease_index.json]

Two collections of one mongod take turns, one with the index. No statement waits for the journal,
whose cost is the same for both and hides a difference of some µs. Prints µs of CPU time of a job.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pymongo import MongoClient, WriteConcern
from pymongo.collection import Collection

from gcsched.adapters.mongo.bulk_write import UpdatePipeline
from gcsched.adapters.mongo.claims import LEASE_END, build_claim
from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.index_names import BY_ID
from gcsched.adapters.mongo.job_document import JobDocument
from gcsched.dev.stores.mongod import run_mongod
from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.support.builders import a_job
from tests.support.rows import Row

GROUP, JOBS = 64, 4096
DUE = datetime(2025, 7, 1, tzinfo=UTC)
CHANGES: dict[str, UpdatePipeline] = {
    "claim": [{"$set": build_claim("token")}],
    "renewal": [{"$set": {"lease": LEASE_END}}],
    "outcome": [
        {"$set": {"state": "SCHEDULED", "due": DUE}},
        {"$unset": ["claim", "lease", "begun"]},
    ],
}
COMMAND = " ".join(["python -m tests.measure.lease_index", *sys.argv[1:]])


def prepare(client: MongoClient[Row], name: str) -> Collection[Row]:
    database = client.get_default_database(write_concern=WriteConcern(w=1, j=False))
    jobs = database[name]
    jobs.create_indexes(
        [each for each in JobDocument.Settings.indexes if each.document["name"] != "delete_after"]
    )
    if name == "with":
        jobs.create_index("lease", partialFilterExpression={"lease": {"$exists": True}})
    ids = (f"job-{number:06}" for number in range(JOBS))
    jobs.insert_many(
        encode(a_job(id=each, dedup_key=each, due_time=DUE, message="m" * 400)) for each in ids
    )
    return jobs


def measure(uri: str, pid: int, seconds: float) -> Figures:
    found: dict[str, list[float]] = defaultdict(list)
    with MongoClient[Row](uri) as client:
        collections = [prepare(client, name) for name in ("with", "without")]
        until = time.monotonic() + seconds
        for ids in groups():
            if time.monotonic() > until:
                break
            collections.reverse()
            for jobs in collections:
                for what, change in CHANGES.items():
                    before = cpu_seconds(pid)
                    jobs.update_many({"_id": {"$in": ids}}, change, hint=BY_ID)
                    spent = (cpu_seconds(pid) - before) / GROUP
                    found[f"{what} {jobs.name} the index"].append(spent * 1e6)
    return {name: summarize(values) for name, values in sorted(found.items())}


def groups() -> Iterator[list[str]]:
    while True:
        for first in range(0, JOBS, GROUP):
            yield [f"job-{number:06}" for number in range(first, first + GROUP)]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads, in the kernel's nanoseconds; psutil has 10 ms steps."""
    total = 0
    for stat in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):  # the thread has ended
            total += int(stat.read_text(encoding="ascii").split()[0])
    return total / 1e9


def summarize(values: list[float]) -> Figures:
    lower, median, upper = (round(each, 1) for each in statistics.quantiles(values, n=4))
    return {"median": median, "quartiles": [lower, upper], "statements": len(values)}


async def run(folder: Path, seconds: float) -> Figures:
    async with run_mongod(folder / "mongod") as mongod:
        return await asyncio.to_thread(measure, mongod.uri, mongod.pid, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=25.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with a_temporary_folder() as folder:
        figures = asyncio.run(run(folder, options.seconds))
    report = {"surroundings": {**run_metadata(), "command": COMMAND}, "mongod_cpu_us": figures}
    print(json.dumps(report, indent=1))
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
