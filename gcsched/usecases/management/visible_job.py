"""The jobs that a caller may know of: others are unknown to it, whatever their state."""

from collections.abc import Awaitable, Callable

from gcsched.domain.access import Client
from gcsched.domain.job import Job
from gcsched.errors import UnknownJob, UnreadableJob


async def find_visible_job(
    find: Callable[[str], Awaitable[Job | None]], job_id: str, client: Client
) -> Job:
    """Return the job that *find* returns if *client* may see it.

    Raises UnknownJob, and UnreadableJob if *client* may see that job.
    """
    try:
        job = await find(job_id)
    except UnreadableJob as error:
        if client.may_see(error.client):
            raise
        raise UnknownJob(job_id) from None
    if job is None or not client.may_see(job.client):
        raise UnknownJob(job_id)
    return job
