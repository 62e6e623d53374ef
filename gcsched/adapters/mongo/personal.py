"""What is known of an employee: the user details, and what the jobs say. To be read, and erased."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import UpdateOne

from gcsched.adapters.mongo.connection import Document, Mongo, store_errors
from gcsched.adapters.mongo.documents import BY_EMPID, BY_ID
from gcsched.adapters.mongo.tolerant import a_count, a_moment, a_text, is_list
from gcsched.domain.erasure import EMPTIED, REMOVED, erased_reason, erased_text
from gcsched.domain.job import FINAL
from gcsched.domain.recipient import Recipient
from gcsched.usecases.forget import Erased

FINISHED = {"$in": [state.value for state in FINAL]}
NOT_FINISHED = {"$nin": [state.value for state in FINAL]}
SEEN = {"state": 1, "version": 1, "email": 1, "reason": 1, "attempts": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoPersonalData:
    mongo: Mongo

    async def recipient(self, empid: str) -> Recipient | None:
        with store_errors("reading user details"):
            document = await self.mongo.recipients.find_one({"_id": empid})
        return None if document is None else decode(document)

    async def unfinished(self, empid: str) -> int:
        query = {"empid": empid, "state": NOT_FINISHED}
        with store_errors("counting an employee's jobs"):
            return int(await self.mongo.jobs.count_documents(query, hint=BY_EMPID))

    async def erase(self, empid: str, *, after: str, most: int, now: datetime) -> Erased:
        """Erase *most* finished jobs that follow *after*, each only as it was seen.

        As documents, not as jobs: one that cannot be read is somebody's all the same.
        """
        query = {
            "empid": empid,
            "_id": {"$gt": after},
            "state": FINISHED,
            "email": {"$ne": ""},  # those were erased before
        }
        with store_errors("erasing jobs"):
            cursor = self.mongo.jobs.find(query, SEEN, sort=[("_id", 1)], hint=BY_EMPID, limit=most)
            found = await cursor.to_list(most)
            if not found:
                return Erased(jobs=0, missed=0, last=None)
            writes = [erasure(document, now) for document in found]
            erased = (await self.mongo.jobs.bulk_write(writes, ordered=False)).modified_count
        last = found[-1]["_id"] if len(found) == most else None
        return Erased(jobs=erased, missed=len(found) - erased, last=last)

    async def remove(self, empid: str) -> None:
        with store_errors("deleting user details"):
            await self.mongo.recipients.delete_one({"_id": empid})


def erasure(document: Document, now: datetime) -> UpdateOne:
    """Make the write that erases one job; where a field is none of ours, nothing of it stays."""
    email, version = a_text(document, "email"), document.get("version")  # None: it is missing
    attempts = document.get("attempts")
    fields: dict[str, Any] = dict.fromkeys(EMPTIED, "") | {
        "reason": erased_reason(a_text(document, "reason"), email=email, now=now),
        "attempts": [
            erased_attempt(each, email)
            for each in (attempts if is_list(attempts) else ())
            if isinstance(each, dict)
        ],
        "version": a_count(document, "version") + 1,
    }
    # As values: what is stored may look like an operator.
    seen = {
        "_id": document["_id"],
        "state": {"$eq": document["state"]},
        "version": {"$eq": version},
    }
    return UpdateOne(seen, {"$set": fields, "$unset": dict.fromkeys(REMOVED, "")}, hint=BY_ID)


def erased_attempt(attempt: Document, email: str) -> Document:
    return attempt | {"text": erased_text(a_text(attempt, "text"), email=email)}


def decode(document: Document) -> Recipient:
    """Read tolerantly: what is known of an employee is told, whatever else is spoilt."""
    return Recipient(
        empid=document["_id"],
        name=a_text(document, "name"),
        email=a_text(document, "email"),
        first_seen=a_moment(document, "first_seen"),
        last_seen=a_moment(document, "last_seen"),
        accepted=a_count(document, "accepted"),
    )
