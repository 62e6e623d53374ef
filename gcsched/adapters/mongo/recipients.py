"""Personal data of an employee: user details and the texts of jobs, to be read and erased."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from pymongo import UpdateOne

from gcsched.adapters.mongo.codec import is_list, read_count, read_text, read_time
from gcsched.adapters.mongo.connection import Collection, Document, Mongo, store_errors
from gcsched.adapters.mongo.folded_queries import FOLDED
from gcsched.adapters.mongo.index_names import BY_EMPID, BY_ID
from gcsched.adapters.mongo.majority_read import READ_TIMEOUT_MS, read_majority
from gcsched.adapters.mongo.meeting_mail_fields import MAIL_FIELD, REVISION_FIELD
from gcsched.adapters.mongo.meetings.erasure import MeetingErasure, erase_lost_revisions
from gcsched.adapters.mongo.steps import STEPS, erase_reasons
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.job import FINAL_STATES
from gcsched.domain.masking import MAX_VALUES_LENGTH, PersonalWords
from gcsched.domain.meeting import Person
from gcsched.domain.recipient import (
    EMPTIED_FIELDS,
    ERASED_MEETING_TEXTS,
    REMOVED_FIELDS,
    JobTexts,
    MeetingMailTexts,
    MeetingTexts,
    Recipient,
    redact_reason,
    redact_text,
)
from gcsched.usecases.ports import ErasedBatch, ErasedMeetings

FINISHED = {"$in": [state.value for state in FINAL_STATES]}
NOT_FINISHED = {"$nin": [state.value for state in FINAL_STATES]}
TEXT_FIELDS = ("email", "name", "message", "empid", "reply_to")
YIELD_EVERY = 25
NOT_ERASED = {"email": {"$ne": ""}}
# A process of the previous version erases a job without its steps, which it does not know.
HAS_STEP_REASON = {f"{STEPS}.reason": {"$gt": ""}}
# Nor does it know the meeting.
HAS_MEETING_TEXTS = {
    "invitation.summary": {"$exists": True, "$ne": ERASED_MEETING_TEXTS["summary"]}
}
ERASURE_PROJECTION = dict.fromkeys(
    (
        *("state", "version", "reason", "attempts", "variables", "invitation", "meeting_mail"),
        *(STEPS, *TEXT_FIELDS),
    ),
    1,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoPersonalData:
    """The port `PersonalData` on MongoDB."""

    mongo: Mongo

    async def find_recipient(self, empid: str) -> Recipient | None:
        with store_errors("reading user details"):
            document = await self.mongo.recipients.find_one({"_id": empid})
        return None if document is None else decode(document)

    async def count_unfinished(self, empid: str) -> int:
        query = {"empid": empid, "state": NOT_FINISHED}
        with store_errors("counting an employee's jobs"):
            return int(await read_majority(partial(count_jobs, query), self.mongo.jobs))

    async def count_erasable(self, empid: str) -> int:
        with store_errors("counting an employee's jobs"):
            query = filter_erasable(empid)
            return int(await read_majority(partial(count_jobs, query), self.mongo.jobs))

    async def erase_jobs(self, empid: str, *, after: str, most: int, now: datetime) -> ErasedBatch:
        """Erase *most* finished jobs that follow *after*, each only if it is as it was read.

        Works on documents, not on jobs: one that cannot be decoded holds personal data as well.
        """
        query = filter_erasable(empid) | {"_id": {"$gt": after}}
        with store_errors("erasing jobs"):
            # A majority read: a node without its majority must not report that nothing is left.
            found = await read_majority(partial(find_first, query, most), self.mongo.jobs)
            if not found:
                return ErasedBatch(jobs=0, skipped=0, last=None)
            # Before the jobs, which are not found again, and name them.
            await erase_lost_revisions(self.mongo, found)
            writes = await build_erasures(found, now)
            with write_errors("erasing jobs"):
                result = await self.mongo.jobs.bulk_write(writes, ordered=False)
            erased = result.modified_count
        last = found[-1]["_id"] if len(found) == most else None
        return ErasedBatch(jobs=erased, skipped=len(found) - erased, last=last)

    async def erase_meetings(
        self, empid: str, *, after: str, most: int, now: datetime
    ) -> ErasedMeetings:
        """Erase the employee in *most* meetings that follow *after*, unless they are not over."""
        erasure = MeetingErasure(mongo=self.mongo, empid=empid, now=now)
        return await erasure.erase(after=after, most=most)

    async def delete_recipient(self, empid: str) -> bool:
        """Delete the user details; return whether there were any."""
        with write_errors("deleting user details"):
            deleted = await self.mongo.recipients.delete_one({"_id": empid})
        return bool(deleted.deleted_count)


def filter_erasable(empid: str) -> Document:
    """Return the filter for the finished jobs of *empid* that have personal texts."""
    texts = [NOT_ERASED, HAS_STEP_REASON, HAS_MEETING_TEXTS]
    return {"empid": empid, "state": FINISHED, "$or": texts}


async def build_erasures(documents: Sequence[Document], now: datetime) -> list[UpdateOne]:
    """Build one update for each; masking takes time, so yield to the event loop in between."""
    writes = []
    for document in documents:
        writes.append(build_erasure(document, now))
        if len(writes) % YIELD_EVERY == 0:
            await asyncio.sleep(0)
    return writes


async def count_jobs(query: Document, jobs: Collection) -> int:
    return await jobs.count_documents(query, hint=BY_EMPID, maxTimeMS=READ_TIMEOUT_MS)


async def find_first(query: Document, most: int, jobs: Collection) -> list[Document]:
    found = jobs.find(
        query, ERASURE_PROJECTION, sort=[("_id", 1)], hint=BY_EMPID, max_time_ms=READ_TIMEOUT_MS
    )
    return await found.limit(most).batch_size(most).to_list(most)


def build_erasure(document: Document, now: datetime) -> UpdateOne:
    """Build the update that erases one job; a field of an unexpected type is emptied."""
    fields: Document = {"version": read_count(document, "version") + 1}
    if document.get("email") != "":
        fields |= erase_texts(document, now)
    removed = dict.fromkeys(REMOVED_FIELDS, "")
    texts, others = erase_meeting(document)
    fields |= texts
    removed |= others
    if STEPS in document:
        fields[STEPS] = erase_reasons(document)
    # `$eq`, because a stored value may look like an operator. Null also matches a missing field.
    seen = {
        "_id": document["_id"],
        "state": {"$eq": document["state"]},
        "version": {"$eq": document.get("version")},
    }
    return UpdateOne(seen, {"$set": fields, "$unset": removed}, hint=BY_ID)


def erase_meeting(document: Document) -> tuple[Document, Document]:
    """Return the fields of a job without the texts of its meeting, and the fields to remove."""
    invitation, mail = document.get(REVISION_FIELD), document.get(MAIL_FIELD)
    fields, removed = Document(), Document()
    if isinstance(invitation, dict):
        fields = {f"{REVISION_FIELD}.{name}": text for name, text in ERASED_MEETING_TEXTS.items()}
        removed = {f"{REVISION_FIELD}.guests": ""}
    elif invitation is not None:
        removed = {REVISION_FIELD: ""}
    if isinstance(mail, dict):
        removed |= {f"{MAIL_FIELD}.earlier": ""}
    elif mail is not None:
        removed |= {MAIL_FIELD: ""}
    return fields, removed


def erase_texts(document: Document, now: datetime) -> Document:
    """Return the fields of a job without the texts of its mail, also where a relay repeats them."""
    words = PersonalWords(decode_texts(document))
    attempts = document.get("attempts")
    return dict.fromkeys((*EMPTIED_FIELDS, FOLDED), "") | {
        "reason": redact_reason(read_text(document, "reason"), words, now=now),
        "attempts": [
            erase_attempt(each, words)
            for each in (attempts if is_list(attempts) else ())
            if isinstance(each, dict)
        ],
    }


def decode_texts(document: Document) -> JobTexts:
    """Return the texts to mask; a field that is not a text was never in a mail."""
    variables = document.get("variables")
    pairs = variables.items() if isinstance(variables, dict) else ()
    texts: dict[str, Any] = {name: read_whole_text(document, name) for name in TEXT_FIELDS}
    return JobTexts(
        **texts,
        variables={name: str(value) for name, value in pairs},
        meeting=decode_mail_texts(document),
    )


def decode_mail_texts(document: Document) -> MeetingMailTexts | None:
    invitation, mail = document.get("invitation"), document.get("meeting_mail")
    if not isinstance(invitation, dict):
        return None
    earlier = mail.get("earlier") if isinstance(mail, dict) else None
    return MeetingMailTexts(
        revision=decode_meeting_texts(invitation),
        earlier=decode_meeting_texts(earlier) if isinstance(earlier, dict) else None,
    )


def decode_meeting_texts(revision: Document) -> MeetingTexts:
    guests = revision.get("guests")
    organizer = read_whole_text(revision, "organizer"), read_whole_text(revision, "organizer_name")
    return MeetingTexts(
        summary=read_whole_text(revision, "summary"),
        location=read_whole_text(revision, "location"),
        url=read_whole_text(revision, "url"),
        description=read_whole_text(revision, "description"),
        organizer=Person(*organizer),
        guests=tuple(
            Person(read_whole_text(each, "email"), read_whole_text(each, "name"))
            for each in (guests if is_list(guests) else ())
            if isinstance(each, dict)
        ),
        reason=read_whole_text(revision, "reason"),
    )


def read_whole_text(document: Document, name: str) -> str:
    """Return the text in field *name*, as long as masking takes one; "" if it has none.

    Unlike `read_text`, which cuts what a message has to carry: a relay may repeat the end of it.
    """
    value = document.get(name)
    return value[:MAX_VALUES_LENGTH] if isinstance(value, str) else ""


def erase_attempt(attempt: Document, words: PersonalWords) -> Document:
    return attempt | {"text": redact_text(read_text(attempt, "text"), words)}


def decode(document: Document) -> Recipient:
    """Return the user details, even if some fields of the document are damaged."""
    return Recipient(
        empid=document["_id"],
        name=read_text(document, "name"),
        email=read_text(document, "email"),
        first_seen_time=read_time(document, "first_seen"),
        last_seen_time=read_time(document, "last_seen"),
        accepted_count=read_count(document, "accepted"),
    )
