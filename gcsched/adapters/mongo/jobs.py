"""Read single jobs, through Beanie."""

from dataclasses import dataclass

from gcsched.adapters.mongo.codec import UNREADABLE, decode
from gcsched.adapters.mongo.connection import store_errors
from gcsched.adapters.mongo.documents import JobDocument
from gcsched.domain.job import Job
from gcsched.errors import UnreadableJob


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoJobs:
    async def get(self, job_id: str) -> Job | None:
        """Give the job, if there is one; raises UnreadableJob where it is none of ours."""
        try:
            with store_errors("reading a job"):
                document = await JobDocument.get(job_id)
            if document is None:
                return None
            return decode({**document.model_dump(), "_id": document.id})
        except UNREADABLE as error:
            raise UnreadableJob(job_id) from error
