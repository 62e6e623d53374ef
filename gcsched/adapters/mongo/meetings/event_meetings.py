"""The meetings of requests with an event, derived from the jobs that invite to them (ADR 0049).

The job is stored first, in one write, and holds the whole first revision. What is stored here
follows from it, so after a crash anywhere it is made again, and a meeting that exists stays as it
is. The revision is written before the meeting that points to it.
"""

from collections.abc import Collection as Ids
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pymongo
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern

from gcsched.adapters.mongo.codec import decode_each
from gcsched.adapters.mongo.connection import Collection, Document, Mongo, store_errors
from gcsched.adapters.mongo.driver_errors import DUPLICATE_KEY
from gcsched.adapters.mongo.index_names import BY_ID
from gcsched.adapters.mongo.meetings.meeting_codec import encode_meeting
from gcsched.adapters.mongo.meetings.revision_codec import encode_revision_document
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.job import Job
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.check_time import AFTER_DUE
from gcsched.domain.meetings.meeting import Attendee, MailText, Meeting, MeetingTexts

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
    ) -> None:
        """Store the meetings of *jobs*, and those of the *replayed* ones that are missing.

        *replayed* are pairs of a job id and its meeting id.
        """
        with store_errors("looking for meetings"), pymongo.timeout(within.total_seconds()):
            missing = await self._find_missing({meeting_id for _, meeting_id in replayed})
            ids = [job_id for job_id, meeting_id in replayed if meeting_id in missing]
            earlier = await self._read_jobs(ids) if ids else []
        with write_errors("storing meetings"), pymongo.timeout(within.total_seconds()):
            await self._store([*select_invitations([*jobs, *earlier])])

    async def restore(self, jobs: Sequence[Job]) -> None:
        """Store the meetings of *jobs*, which are missing."""
        with write_errors("storing meetings"), pymongo.timeout(RESTORE_TIMEOUT_SECONDS):
            await self._store([*select_invitations(jobs)])

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
        if invitations:
            kept = [(each, each[1].end + self.retention) for each in invitations]
            revisions = [encode_revision_document(each[1], delete_after=t) for each, t in kept]
            meetings = [encode_event_meeting(*each) | {"delete_after": t} for each, t in kept]
            await insert_missing(self.mongo.meeting_revisions, revisions)
            await insert_missing(self.mongo.meetings, meetings)


def select_invitations(jobs: Iterable[Job]) -> Iterable[Invitation]:
    """Yield the *jobs* that invite to a meeting, each with its revision."""
    for job in jobs:
        if job.revision is not None:
            yield job, job.revision


async def insert_missing(collection: Collection, documents: Sequence[Document]) -> None:
    """Insert those of *documents* whose id is free, and wait for a majority of the others.

    Two processes may insert one at the same moment: the slower one tries again, and finds it.
    """
    writes = [
        UpdateOne({"_id": each["_id"]}, {"$setOnInsert": each}, upsert=True, hint=BY_ID)
        for each in documents
    ]
    for tries_left in reversed(range(UPSERT_TRIES)):
        try:
            await collection.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            if not tries_left or not is_only_taken(error):
                raise
        else:
            return


def is_only_taken(error: BulkWriteError) -> bool:
    details: dict[str, Any] = dict(error.details or {})
    errors = details.get("writeErrors") or []
    is_taken = all(each["code"] == DUPLICATE_KEY for each in errors)
    return is_taken and not details.get("writeConcernErrors")


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
