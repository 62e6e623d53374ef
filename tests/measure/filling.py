"""Fill MongoDB with waiting jobs: the documents that the service's codec writes, made quickly.

One document is encoded by the codec; the others are copies of its octets with their own id,
employee, address, dedup key and times, which all have the same length. Two processes insert.
"""

import multiprocessing
import re
import shutil
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import shake_128
from operator import itemgetter
from pathlib import Path
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.write_concern import WriteConcern

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.other_documents import INDEXES
from gcsched.domain.job import Job, State
from tests.measure.delivery import Figures
from tests.support.rows import Row

GENERATORS = 2
BATCH_SIZE = 10_000
DISK_BYTES_PER_JOB = 2_000  # documents, indexes, and the files that an index build sorts in
SPARE_DISK_BYTES = 4 * 2**30
DAYS = 30
FAST = WriteConcern(w=1)  # the jobs of a measurement need no majority
# Marks of the document that is encoded once; no other octets of it are like them.
ID, KEY, NUMBER = "a" * 32, "b" * 64, "7777777777"
TIME, CREATION = (datetime(year, 1, 2, 3, 4, 5, tzinfo=UTC) for year in (2031, 2033))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The jobs *first* to *first* + *count* of *total*, for one process to insert."""

    uri: str
    first: int
    count: int
    total: int
    seed: int
    now: datetime


def a_waiting_job(job_id: str, key: str, number: str, created: datetime, due: datetime) -> Job:
    """Return a job as a call of an existing client makes it."""
    return Job(
        id=job_id,
        state=State.SCHEDULED,
        empid=f"EMP{number}",
        email=f"person.{number}@example.org",
        message=f"Scheduled chat number {number}",
        name=f"Person {number}",
        create_time=created,
        schedule_time=due,
        due_time=due,
        expire_time=due + timedelta(days=1),
        state_time=created,
        message_id=f"{job_id}@example.org",
        dedup_key=key,
    )


def pack_time(milliseconds: int) -> bytes:
    """Return the octets of a time in BSON: the lowest octet first."""
    return struct.pack("<q", milliseconds)


def milliseconds_of(value: datetime) -> int:
    return round(value.timestamp() * 1000)


def build_pattern() -> tuple[bytes, list[int]]:
    """Return the codec's document with ``%b`` at each mark, and which value belongs there.

    The values are numbered as in `make_documents`: id, key, number, due, expire and create time.
    """
    job = a_waiting_job(ID, KEY, NUMBER, CREATION, TIME)
    times = [pack_time(milliseconds_of(each)) for each in (TIME, job.expire_time, CREATION)]
    marks = [ID.encode(), KEY.encode(), NUMBER.encode(), *times]
    pieces = re.split(b"(" + b"|".join(map(re.escape, marks)) + b")", bson.encode(encode(job)))
    pattern = b"".join(b"%b" if each in marks else each.replace(b"%", b"%%") for each in pieces)
    return pattern, [marks.index(each) for each in pieces if each in marks]


def make_documents(part: Part) -> Iterator[bytes]:
    """Yield the documents of *part*; those of one seed are the same in each run."""
    pattern, places = build_pattern()
    choose = itemgetter(*places)
    day, now = 86_400_000, milliseconds_of(part.now)
    for number in range(part.first, part.first + part.count):
        created = now - DAYS * day + number * DAYS * day // part.total
        drawn = shake_128(b"%d:%d" % (part.seed, number)).digest(46)  # cheap, and repeatable
        text, second = drawn[4:].hex(), int.from_bytes(drawn[:4]) % (DAYS * 86_400)
        due = now // 1000 * 1000 + DAYS * day + second * 1000
        # As `new_id` makes them: the time, the version 7, and the rest at random.
        job_id = b"%012x7%b8%b" % (created, text[:3].encode(), text[3:18].encode())
        numbers = b"%010d" % number
        times = pack_time(due), pack_time(due + day), pack_time(created)
        yield pattern % choose((job_id, text[20:].encode(), numbers, *times))


def insert_part(part: Part) -> None:
    """Insert the documents of *part*, in batches."""
    with MongoClient[Any](part.uri) as client:
        jobs = client.get_default_database()["jobs"].with_options(write_concern=FAST)
        batch: list[RawBSONDocument] = []
        for document in make_documents(part):
            batch.append(RawBSONDocument(document))
            if len(batch) == BATCH_SIZE:
                jobs.insert_many(batch, ordered=False)
                batch = []
        if batch:
            jobs.insert_many(batch, ordered=False)


def insert_all(uri: str, count: int, *, seed: int) -> None:
    """Insert *count* jobs by GENERATORS processes, which end with this one."""
    now, share = datetime.now(UTC), -(-count // GENERATORS)
    parts = [
        Part(uri=uri, first=at, count=min(share, count - at), total=count, seed=seed, now=now)
        for at in range(0, count, share)
    ]
    # Not by a fork: gRPC's and uvloop's threads would not be in the child, but their locks would.
    with multiprocessing.get_context("spawn").Pool(GENERATORS) as pool:
        pool.map(insert_part, parts, chunksize=1)


def fill(uri: str, count: int, *, seed: int, index_first: bool) -> Figures:
    """Insert *count* waiting jobs, and make the service's indexes before or after that.

    An index that exists before grows as it does in service. One that is built from sorted keys
    afterwards takes less time and is smaller.
    """
    started = time.monotonic()
    with MongoClient[Row](uri) as client:
        database = client.get_default_database()
        client.admin.command("setParameter", 1, maxIndexBuildMemoryUsageMegabytes=2_000)
        if index_first:
            database["jobs"].create_indexes(list(INDEXES["jobs"]))
        insert_all(uri, count, seed=seed)
        inserted = time.monotonic()
        database["jobs"].create_indexes(list(INDEXES["jobs"]))
        indexed = time.monotonic()
        client.admin.command("fsync")  # otherwise its checkpoint would run into the measurement
    return {
        "jobs": count,
        "indexes": "before the jobs" if index_first else "after the jobs",
        "insert_seconds": round(inserted - started, 1),
        "index_seconds": round(indexed - inserted, 1),
        "write_to_disk_seconds": round(time.monotonic() - indexed, 1),
    }


def check_disk(folder: Path, count: int) -> None:
    """Exit unless the disk of *folder* has room for *count* jobs."""
    needed, free = count * DISK_BYTES_PER_JOB + SPARE_DISK_BYTES, shutil.disk_usage(folder).free
    if free < needed:
        sys.exit(f"{folder} has {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB are needed")


def bytes_per_job(uri: str) -> Figures:
    """Return what a job takes: its document, its place on disk, and its entry in each index."""
    with MongoClient[Row](uri) as client:
        stats = client.get_default_database().command("collStats", "jobs")
    count = max(1, stats["count"])
    indexes = {name: round(size / count, 1) for name, size in stats["indexSizes"].items()}
    return {
        "document": round(stats["size"] / count, 1),
        "document_on_disk": round(stats["storageSize"] / count, 1),
        "indexes": indexes,
        "indexes_in_all": round(stats["totalIndexSize"] / count, 1),
    }
