"""Jobs that are due or being sent, with fields that cannot be decoded."""

from datetime import UTC, datetime, timedelta
from typing import Any

from gcsched.adapters.mongo.codec import encode
from tests.support.builders import a_claimed_job, a_job
from tests.support.rows import Row

PAST = datetime(2025, 7, 1, 12, tzinfo=UTC)
# Long, because the TTL monitor deletes jobs that ended at the time of the builders.
RETENTION = timedelta(days=36500)


def a_due_row(name: str, **corrupt: Any) -> Row:
    return encode(a_job(id=name, dedup_key=name, due_time=PAST)) | corrupt


def an_orphan_row(name: str, **corrupt: Any) -> Row:
    job = a_claimed_job(id=name, dedup_key=name)
    return encode(job) | {"lease": PAST} | corrupt


def without_fields(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}
