"""Read single jobs, through Beanie's collection."""

from dataclasses import dataclass

from gcsched.adapters.mongo.codec import UNREADABLE, decode, unreadable
from gcsched.adapters.mongo.connection import Document, store_errors
from gcsched.adapters.mongo.documents import BY_ID, JobDocument
from gcsched.domain.job import Job
from gcsched.errors import UnreadableJob


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoJobs:
    async def get(self, job_id: str) -> Job | None:
        """Give the job, if there is one; raises UnreadableJob where it is none of ours."""
        # Not as a Beanie document: pydantic takes "1" for 1, and then others find it unreadable.
        jobs = JobDocument.get_motor_collection()
        with store_errors("reading a job"):
            document: Document | None = await jobs.find_one({"_id": job_id}, hint=BY_ID)
        if document is None:
            return None
        try:
            return decode(document)
        except UNREADABLE as error:
            raise UnreadableJob(job_id, unreadable(document, error)) from error
