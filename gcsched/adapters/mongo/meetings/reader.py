"""Reads meetings: each from its document and its latest revision.

A document of the version before, and the first one of a request with an event, does not have the
word of its attendee. The job of the attendee proves it, as long as it is stored.
"""

from collections.abc import Collection as Ids
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace
from pymongo.read_concern import ReadConcern

from gcsched.adapters.mongo.codec import (
    DECODE_ERRORS,
    decode_each,
    describe_decode_error,
    read_count,
    read_text,
)
from gcsched.adapters.mongo.connection import Collection, Document, Mongo
from gcsched.adapters.mongo.field_checks import decode_count, make_field_error
from gcsched.adapters.mongo.index_names import BY_ID
from gcsched.adapters.mongo.meeting_document import decode_revision
from gcsched.adapters.mongo.meetings.attendee_codec import has_noted_word
from gcsched.adapters.mongo.meetings.event_meetings import find_texts
from gcsched.adapters.mongo.meetings.meeting_codec import decode_meeting
from gcsched.adapters.mongo.meetings.revision_codec import name_revision
from gcsched.domain.calendar_file import Method
from gcsched.domain.job import Job
from gcsched.domain.meetings.meeting import Attendee, Meeting, MeetingTexts, Told, Word
from gcsched.errors import UnreadableMeeting

MAJORITY = ReadConcern("majority")


def read_committed(collection: Collection) -> Collection:
    """Return *collection* for reads of what a majority has, which no failover takes back."""
    return collection.with_options(read_concern=MAJORITY)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingReader:
    """Completes documents of meetings with what lies in other collections."""

    mongo: Mongo

    async def read(self, documents: Sequence[Document]) -> list[Meeting | UnreadableMeeting]:
        """Return the meeting of each of *documents*, or the error that says why it has none."""
        revisions = await self._find_revisions(documents)
        jobs = await self._find_jobs(list_unnoted(documents))
        return [decode_or_error(each, revisions, jobs) for each in documents]

    async def _find_revisions(self, documents: Sequence[Document]) -> Mapping[str, Document]:
        names = [name_latest_revision(each) for each in documents]
        if not names:
            return {}
        revisions = read_committed(self.mongo.meeting_revisions)
        found = revisions.find({"_id": {"$in": names}}, hint=BY_ID)
        return {each["_id"]: each async for each in found}

    async def _find_jobs(self, ids: Ids[str]) -> Mapping[str, Job | None]:
        """Return those of *ids* that are stored, each with its job; None: it cannot be read."""
        if not ids:
            return {}
        found = self.mongo.jobs.find({"_id": {"$in": list(ids)}}, hint=BY_ID)
        readable, unreadable = decode_each(await found.to_list(None))
        jobs: dict[str, Job | None] = {str(each["_id"]): None for each, _ in unreadable}
        return jobs | {job.id: job for _, job in readable}


def name_latest_revision(document: Document) -> str:
    return name_revision(str(document["_id"]), read_count(document, "revision"))


def list_unnoted(documents: Sequence[Document]) -> Ids[str]:
    """Return the jobs of the attendees whose word is not noted."""
    return {
        read_text(attendee, "job_id")
        for document in documents
        for attendee in list_attendees(document)
        if not has_noted_word(attendee)
    }


def list_attendees(document: Document) -> list[Document]:
    stored = document.get("attendees")
    return [each for each in stored if isinstance(each, dict)] if isinstance(stored, list) else []


def decode_or_error(
    document: Document, revisions: Mapping[str, Document], jobs: Mapping[str, Job | None]
) -> Meeting | UnreadableMeeting:
    try:
        return decode_complete(document, revisions, jobs)
    except DECODE_ERRORS as error:
        return UnreadableMeeting(
            str(document["_id"]),
            describe_decode_error(error),
            client=read_text(document, "client"),
        )


def decode_complete(
    document: Document, revisions: Mapping[str, Document], jobs: Mapping[str, Job | None]
) -> Meeting:
    decode_count(document, "revision")
    stored = revisions.get(name_latest_revision(document))
    if stored is None:
        raise TypeError("its latest revision is missing")
    revision = decode_revision(stored)
    if (revision.meeting_id, revision.number) != (document["_id"], document["revision"]):
        raise make_field_error("number", stored["number"])
    meeting = decode_meeting(document, revision)
    return complete(meeting, document, jobs)


def complete(meeting: Meeting, document: Document, jobs: Mapping[str, Job | None]) -> Meeting:
    """Return *meeting* with what its document lacks, from the *jobs* of its attendees."""
    pairs = list(zip(meeting.attendees, document["attendees"], strict=True))
    if all(has_noted_word(stored) for _, stored in pairs):
        return meeting
    attendees = tuple(
        attendee if has_noted_word(stored) else complete_attendee(attendee, meeting, jobs)
        for attendee, stored in pairs
    )
    meeting = replace(meeting, attendees=attendees)
    job = jobs.get(attendees[0].job_id)
    # The version before stored none of these, and its meetings have no changes.
    if job is None or "content_revision" in document:
        return meeting
    return replace(
        meeting,
        texts=meeting.texts if meeting.texts != MeetingTexts() else find_texts(job),
        labels=meeting.labels or job.labels,
        sender=meeting.sender or job.sender,
        invite_time=job.schedule_time,
    )


def complete_attendee(
    attendee: Attendee, meeting: Meeting, jobs: Mapping[str, Job | None]
) -> Attendee:
    """Return *attendee*, who may have the first mail if its job is deleted or cannot be read.

    A job that can be read says itself what became of its mail.
    """
    shown = attendee.mail_revision or 1
    if jobs.get(attendee.job_id) is not None:
        return replace(attendee, mail_revision=shown)
    word = Word(
        told=Told.MAYBE,
        method=Method.REQUEST,
        sequence=meeting.revision.sequence,
        revision=meeting.revision.number,
    )
    return replace(attendee, word=word, mail_revision=shown)


def require_meeting(found: Meeting | UnreadableMeeting) -> Meeting:
    """Return the meeting, or raise the error."""
    if isinstance(found, UnreadableMeeting):
        raise found
    return found


def build_guard(meeting: Meeting) -> dict[str, Any]:
    """Return the filter that matches the meeting only as it was read."""
    return {"_id": meeting.id, "version": meeting.version}
