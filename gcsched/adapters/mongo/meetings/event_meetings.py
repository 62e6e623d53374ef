"""The meetings of requests with an event, derived from the jobs that invite to them (ADR 0049).

The job is stored first, in one write, and holds the whole first revision. What is stored here
follows from it, so after a crash anywhere it is made again, and a meeting that exists stays as it
is. The revision is written before the meeting that points to it.
"""

from collections.abc import Collection as Ids
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pymongo
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern

from gcsched.adapters.mongo.codec import decode_each
from gcsched.adapters.mongo.connection import Collection, Document, Mongo, store_errors
from gcsched.adapters.mongo.driver_errors import DUPLICATE_KEY, is_document_error_code
from gcsched.adapters.mongo.index_names import BY_ID
from gcsched.adapters.mongo.meetings.meeting_codec import encode_meeting
from gcsched.adapters.mongo.meetings.revision_codec import encode_revision_document
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.job import Job
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.check_time import AFTER_DUE
from gcsched.domain.meetings.meeting import Attendee, MailText, Meeting, MeetingTexts
from gcsched.errors import StoreUnavailable

OWN_TEMPLATE = "invitation"  # the service's own, which is not stored
UPSERT_TRIES = 3
RESTORE_TIMEOUT_SECONDS = 5.0

Invitation = tuple[Job, MeetingRevision]


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoEventMeetings:
    """The port `NewMeetings` on MongoDB."""

    mongo: Mongo
    retention: timedelta

    async def record(
        self, jobs: Sequence[Job], replayed: Sequence[tuple[str, str]], *, within: timedelta
    ) -> Mapping[str, StoreUnavailable]:
        """Store the meetings of *jobs*, and those of the *replayed* ones that are missing.

        *replayed* are pairs of a job id and its meeting id. Returns meeting id → error for those
        that are not stored.
        """
        with pymongo.timeout(within.total_seconds()):  # for all statements together
            with store_errors("looking for meetings"):
                missing = await self._find_missing({meeting_id for _, meeting_id in replayed})
                ids = [job_id for job_id, meeting_id in replayed if meeting_id in missing]
                earlier = await self._read_jobs(ids) if ids else []
            return await self._try_to_store([*select_invitations([*jobs, *earlier])])

    async def restore(self, jobs: Sequence[Job]) -> Mapping[str, StoreUnavailable]:
        """Store the meetings of *jobs*, which are missing; return the errors as `record` does."""
        with pymongo.timeout(RESTORE_TIMEOUT_SECONDS):
            return await self._try_to_store([*select_invitations(jobs)])

    async def _try_to_store(
        self, invitations: Sequence[Invitation]
    ) -> Mapping[str, StoreUnavailable]:
        """Store what MongoDB takes; return meeting id → error for those that are missing then."""
        if not invitations:
            return {}
        try:
            with write_errors("storing meetings"):
                await self._store(invitations)
        except StoreUnavailable as error:
            missing: Ids[str] = {revision.meeting_id for _, revision in invitations}
            with suppress(StoreUnavailable), store_errors("looking for meetings"):
                missing = await self._find_missing(missing)
            return dict.fromkeys(missing, error)
        return {}

    async def _find_missing(self, ids: Ids[str]) -> Ids[str]:
        """Return those of *ids* that no majority has as meetings."""
        if not ids:
            return ()
        meetings = self.mongo.meetings.with_options(read_concern=ReadConcern("majority"))
        found = meetings.find({"_id": {"$in": list(ids)}}, {"_id": 1}, hint=BY_ID)
        return set(ids) - {each["_id"] async for each in found}

    async def _read_jobs(self, ids: Sequence[str]) -> list[Job]:
        """Return the jobs with *ids*; one that cannot be read is restored once it is repaired."""
        found = self.mongo.jobs.find({"_id": {"$in": list(ids)}}, hint=BY_ID)
        return [job for _, job in decode_each(await found.to_list(None))[0]]

    async def _store(self, invitations: Sequence[Invitation]) -> None:
        """Store the meetings; raise the error about one of them once all others are stored."""
        kept = [(each, each[1].end + self.retention) for each in invitations]
        revisions = [encode_revision_document(each[1], delete_after=t) for each, t in kept]
        meetings = [encode_event_meeting(*each) | {"delete_after": t} for each, t in kept]
        refusal = await insert_missing(self.mongo.meeting_revisions, revisions)
        refused = {each["index"] for each in list_write_errors(refusal)}
        rest = [each for position, each in enumerate(meetings) if position not in refused]
        refusal = (await insert_missing(self.mongo.meetings, rest) if rest else None) or refusal
        if refusal is not None:
            raise refusal


def select_invitations(jobs: Iterable[Job]) -> Iterable[Invitation]:
    """Yield the *jobs* that invite to a meeting, each with its revision."""
    for job in jobs:
        if job.revision is not None:
            yield job, job.revision


async def insert_missing(
    collection: Collection, documents: Sequence[Document]
) -> BulkWriteError | None:
    """Insert those of *documents* whose id is free, and wait for a majority of the others.

    Returns the error about documents that MongoDB refuses; all others are stored then. Two
    processes may insert one at the same moment: the slower one tries again, and finds it.
    """
    writes = [
        UpdateOne({"_id": each["_id"]}, {"$setOnInsert": each}, upsert=True, hint=BY_ID)
        for each in documents
    ]
    for tries_left in reversed(range(UPSERT_TRIES)):
        try:
            await collection.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            if (error.details or {}).get("writeConcernErrors"):
                raise
            failed = list_write_errors(error)
            is_taken = any(each["code"] == DUPLICATE_KEY for each in failed)
            if not is_taken and all(map(is_document_error_code, failed)):
                return error
            if not is_taken or not tries_left:
                raise
        else:
            break
    return None


def list_write_errors(error: BulkWriteError | None) -> Sequence[Mapping[str, Any]]:
    details: Mapping[str, Any] = {} if error is None else error.details or {}
    return details.get("writeErrors") or ()


def encode_event_meeting(job: Job, revision: MeetingRevision) -> Document:
    """Return the document of the meeting that *job* invites to.

    The word of the attendee is not in it: only the job knows, until its outcome is noted.
    """
    meeting = Meeting(
        revision=revision,
        attendees=(
            Attendee(
                email=job.email,
                name=job.name,
                empid=job.empid,
                job_id=job.id,
                mail_revision=revision.number,
            ),
        ),
        invite_time=job.schedule_time,
        texts=find_texts(job),
        labels=job.labels,
        sender=job.sender,
        client=job.client,
        create_time=job.create_time,
        update_time=job.create_time,
        check_time=job.due_time + AFTER_DUE,
    )
    document = encode_meeting(meeting)
    for attendee in document["attendees"]:
        del attendee["told"]
    return document


def find_texts(job: Job) -> MeetingTexts:
    """Return the caller's template and variables, as they are in the job."""
    text = MailText(template="" if job.template == OWN_TEMPLATE else job.template)
    mails = {} if text == MailText() else {Purpose.INVITATION: text}
    return MeetingTexts(mails=mails, variables=job.variables)
