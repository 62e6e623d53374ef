"""Read single jobs, through Beanie."""

from dataclasses import dataclass

from gcsched.adapters.mongo.codec import decode
from gcsched.adapters.mongo.connection import store_errors
from gcsched.adapters.mongo.documents import JobDocument
from gcsched.domain.job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoJobs:
    async def get(self, job_id: str) -> Job | None:
        with store_errors("reading a job"):
            document = await JobDocument.get(job_id)
        return None if document is None else decode({**document.model_dump(), "_id": document.id})
