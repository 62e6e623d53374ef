"""What is known of an employee: the user details, and what the jobs say. To be read, and erased."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from pymongo import UpdateOne

from gcsched.adapters.mongo.caseless import FOLDED
from gcsched.adapters.mongo.codec import a_count, a_moment, a_text, is_list
from gcsched.adapters.mongo.connection import Collection, Document, Mongo, store_errors
from gcsched.adapters.mongo.documents import BY_EMPID, BY_ID
from gcsched.adapters.mongo.majority_read import LONGEST_READ_MS, certain
from gcsched.adapters.mongo.writing import write_errors
from gcsched.domain.job import FINAL
from gcsched.domain.masking import Words
from gcsched.domain.recipient import EMPTIED, REMOVED, Known, Recipient, erased_reason, erased_text
from gcsched.usecases.ports import Erased

FINISHED = {"$in": [state.value for state in FINAL]}
NOT_FINISHED = {"$nin": [state.value for state in FINAL]}
TEXTS = ("email", "name", "message", "empid", "reply_to")
IN_A_ROW = 25
SEEN = dict.fromkeys(("state", "version", "reason", "attempts", "variables", *TEXTS), 1)


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
            return int(await certain(partial(counted, query), self.mongo.jobs))

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
            # Certain: that nothing is left must be no belief of a node without a majority.
            found = await certain(partial(first_of, query, most), self.mongo.jobs)
            if not found:
                return Erased(jobs=0, missed=0, last=None)
            writes = await erasures(found, now)
            with write_errors("erasing jobs"):
                answer = await self.mongo.jobs.bulk_write(writes, ordered=False)
            erased = answer.modified_count
        last = found[-1]["_id"] if len(found) == most else None
        return Erased(jobs=erased, missed=len(found) - erased, last=last)

    async def remove(self, empid: str) -> bool:
        """Delete the user details; return whether there were any."""
        with write_errors("deleting user details"):
            deleted = await self.mongo.recipients.delete_one({"_id": empid})
        return bool(deleted.deleted_count)


async def erasures(documents: Sequence[Document], now: datetime) -> list[UpdateOne]:
    """Make one write for each; a relay's words are searched, so others get their turn between."""
    writes = []
    for document in documents:
        writes.append(erasure(document, now))
        if len(writes) % IN_A_ROW == 0:
            await asyncio.sleep(0)
    return writes


async def counted(query: Document, jobs: Collection) -> int:
    return await jobs.count_documents(query, hint=BY_EMPID, maxTimeMS=LONGEST_READ_MS)


async def first_of(query: Document, most: int, jobs: Collection) -> list[Document]:
    found = jobs.find(query, SEEN, sort=[("_id", 1)], hint=BY_EMPID, max_time_ms=LONGEST_READ_MS)
    return await found.limit(most).batch_size(most).to_list(most)


def erasure(document: Document, now: datetime) -> UpdateOne:
    """Make the write that erases one job; where a field is none of ours, nothing of it stays."""
    known, version = Words(known_of(document)), document.get("version")  # None: it is missing
    attempts = document.get("attempts")
    fields: dict[str, Any] = dict.fromkeys((*EMPTIED, FOLDED), "") | {
        "reason": erased_reason(a_text(document, "reason"), known, now=now),
        "attempts": [
            erased_attempt(each, known)
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


def known_of(document: Document) -> Known:
    """Read what may be damaged: what is not a text tells nothing that a relay could repeat."""
    variables = document.get("variables")
    pairs = variables.items() if isinstance(variables, dict) else ()
    return Known(
        **{name: a_text(document, name) for name in TEXTS},
        variables={name: str(value) for name, value in pairs},
    )


def erased_attempt(attempt: Document, known: Words) -> Document:
    return attempt | {"text": erased_text(a_text(attempt, "text"), known)}


def decode(document: Document) -> Recipient:
    """Read tolerantly: what is known of an employee is told, whatever else is spoilt."""
    return Recipient(
        empid=document["_id"],
        name=a_text(document, "name"),
        email=a_text(document, "email"),
        first_seen_time=a_moment(document, "first_seen"),
        last_seen_time=a_moment(document, "last_seen"),
        accepted_count=a_count(document, "accepted"),
    )
