"""User details, kept in bulk after the callers have their answers."""

from collections.abc import Sequence
from dataclasses import dataclass

from pymongo import UpdateOne

from gcsched.adapters.mongo.connection import Mongo, store_errors
from gcsched.domain.job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoRecipients:
    mongo: Mongo

    async def save(self, jobs: Sequence[Job]) -> None:
        """Note name and address of each job's employee, and count what was accepted for him."""
        with store_errors("keeping user details"):
            await self.mongo.recipients.bulk_write([seen(job) for job in jobs])


def seen(job: Job) -> UpdateOne:
    return UpdateOne(
        {"_id": job.empid},
        {
            "$set": {"name": job.name, "email": job.email},
            "$min": {"first_seen": job.created},
            "$max": {"last_seen": job.created},
            "$inc": {"accepted": 1},
        },
        upsert=True,
    )
