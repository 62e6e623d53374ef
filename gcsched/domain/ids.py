"""Ids of jobs and claims, and the etag of one version of a job. Pure.

Ids begin with the time, so that an index grows at one end. An etag shows which version of a job was
read last (AIP-154).
"""

import secrets
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from gcsched.domain.job import Job

RANDOM_BITS = 74
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def new_id(now: datetime) -> str:
    """Make a UUIDv7 (RFC 9562, section 5.7) as 32 hexadecimal digits.

    Ids sort as the moments they were made at, to the millisecond: lists by creation rely on it.
    """
    # Not by timestamp(): as a float it is a millisecond too early now and then.
    milliseconds = (now - EPOCH) // MILLISECOND & (1 << 48) - 1
    random = secrets.randbits(RANDOM_BITS)
    high = milliseconds << 16 | 0x7000 | random >> 62
    low = 0b10 << 62 | random & (1 << 62) - 1
    return f"{high << 64 | low:032x}"


ETAG_LENGTH = 16


def etag_of(job: Job) -> str:
    """Give the mark of *job* as it is now: no quotes, nothing to be read out of it.

    It is of this job alone, so that the mark of another one never fits by chance.
    """
    return sha256(f"{job.id}:{job.version}".encode()).hexdigest()[:ETAG_LENGTH]
