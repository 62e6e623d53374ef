"""Ids of jobs and claims, and the etag of one version of a job. Pure.

Ids begin with the time, so that an index grows at one end. An etag names the version of a job that
a caller has read (AIP-154).
"""

import secrets
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from gcsched.domain.job import Job

RANDOM_BITS = 74
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def new_id(now: datetime) -> str:
    """Create a UUIDv7 (RFC 9562, section 5.7) as 32 hexadecimal digits.

    Ids sort by the time of their creation, to the millisecond: lists by creation rely on it.
    """
    # timestamp() is a float, and sometimes a millisecond too early.
    milliseconds = (now - EPOCH) // MILLISECOND & (1 << 48) - 1
    random = secrets.randbits(RANDOM_BITS)
    high = milliseconds << 16 | 0x7000 | random >> 62
    low = 0b10 << 62 | random & (1 << 62) - 1
    return f"{high << 64 | low:032x}"


ETAG_LENGTH = 16


def etag_of(job: Job) -> str:
    """Return the etag of *job* as it is now: opaque, and without quotes.

    The job's id is part of it, so that the etag of another job never matches by chance.
    """
    return sha256(f"{job.id}:{job.version}".encode()).hexdigest()[:ETAG_LENGTH]
