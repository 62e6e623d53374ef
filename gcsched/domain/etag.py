"""The mark of one version of a job: who shows it says what was read last (AIP-154). Pure."""

from hashlib import sha256

from gcsched.domain.job import Job

LENGTH = 16


def etag_of(job: Job) -> str:
    """Give the mark of *job* as it is now: no quotes, nothing to be read out of it.

    It is of this job alone, so that the mark of another one never fits by chance.
    """
    return sha256(f"{job.id}:{job.version}".encode()).hexdigest()[:LENGTH]
