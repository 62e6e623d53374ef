"""Whether claimed mails about meetings are still wanted: one read for each claimed batch."""

from collections.abc import Collection as Ids
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pymongo
import structlog

from gcsched.adapters.mongo.codec import DECODE_ERRORS, describe_decode_error
from gcsched.adapters.mongo.connection import Mongo, store_errors
from gcsched.adapters.mongo.field_checks import (
    decode_flag,
    decode_member,
    decode_optional_documents,
    decode_times,
)
from gcsched.adapters.mongo.index_names import BY_ID
from gcsched.adapters.mongo.meetings.attendee_codec import decode_count_or
from gcsched.adapters.mongo.meetings.event_meetings import MongoEventMeetings
from gcsched.adapters.mongo.meetings.meeting_codec import STATES, decode_list, decode_reminder
from gcsched.adapters.mongo.meetings.reader import read_committed
from gcsched.adapters.mongo.quarantine import UnreadableLog
from gcsched.domain.address_folding import fold_address
from gcsched.domain.job import Job
from gcsched.domain.meeting_mail import MeetingMail
from gcsched.domain.meetings.claims import Objection, Place, Standing, find_objection

Document = Mapping[str, Any]

READ_TIMEOUT_SECONDS = 5.0
MISSING = Objection(reason="its meeting no longer exists", is_final=True)
UNREADABLE = Objection(reason="its meeting cannot be read", is_final=False)
STANDING_FIELDS = ("state", "content_revision", "start", "reminders")
PLACE_FIELDS = ("folded", "email", "removed", "removed_revision", "invited")


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoClaimedMeetings:
    """The port `ClaimedMeetings` on MongoDB."""

    mongo: Mongo
    event_meetings: MongoEventMeetings
    unreadable_log: UnreadableLog = field(default_factory=UnreadableLog)

    async def check(self, jobs: Sequence[Job]) -> Mapping[str, Objection]:
        """Return job id → why it must not be sent now, for those of *jobs* that must not be.

        The majority read cannot miss a change that its caller knows of. One that is not confirmed
        yet may be missed: its caller still looks for the jobs that are claimed. A job about an
        example may be sent: no meeting is stored for it.
        """
        jobs = [job for job in jobs if find_meeting_id(job)]
        if not jobs:
            return {}
        with store_errors("checking meetings"), pymongo.timeout(READ_TIMEOUT_SECONDS):
            found = await self._read({find_meeting_id(job) for job in jobs})
        missing = [job for job in jobs if find_meeting_id(job) not in found]
        if restorable := [job for job in missing if may_make_meeting(job)]:
            await self.event_meetings.restore(restorable)
        standings = {meeting_id: self._decode(each) for meeting_id, each in found.items()}
        objections = {
            job.id: object_to(job, standings[find_meeting_id(job)])
            for job in jobs
            if find_meeting_id(job) in standings
        }
        objections |= {job.id: MISSING for job in missing if not may_make_meeting(job)}
        return {job_id: each for job_id, each in objections.items() if each is not None}

    async def _read(self, ids: Ids[str]) -> Mapping[str, Document]:
        projection = dict.fromkeys(
            (*STANDING_FIELDS, *(f"attendees.{name}" for name in PLACE_FIELDS)), 1
        )
        meetings = read_committed(self.mongo.meetings)
        found = meetings.find({"_id": {"$in": list(ids)}}, projection, hint=BY_ID)
        return {each["_id"]: each for each in await found.to_list(None)}

    def _decode(self, document: Document) -> Standing | None:
        """Return where the attendees of a meeting stand; None if it cannot be read."""
        try:
            return decode_standing(document)
        except DECODE_ERRORS as error:
            if self.unreadable_log.is_new(document["_id"]):
                structlog.get_logger().warning(
                    "meeting unreadable",
                    meeting_id=str(document["_id"]),
                    problem=describe_decode_error(error),
                    do="repair the field; mails about the meeting wait",
                )
            return None


def object_to(job: Job, standing: Standing | None) -> Objection | None:
    """Return why *job* must not be sent now; a *standing* of None cannot be read."""
    return UNREADABLE if standing is None else find_objection(job, standing)


def find_meeting_id(job: Job) -> str:
    return "" if job.meeting is None else job.meeting.meeting_id


def may_make_meeting(job: Job) -> bool:
    """Return whether *job* is that of a request with an event, whose meeting follows from it."""
    return (
        job.meeting is not None
        and job.meeting == MeetingMail(revision=job.meeting.revision)
        and job.meeting.revision.number == 1
    )


def decode_standing(document: Document) -> Standing:
    [start] = decode_times(document, ("start",))
    reminders = map(decode_reminder, decode_optional_documents(document, "reminders"))
    return Standing(
        state=decode_member(document, "state", STATES),
        content_revision=decode_count_or(document, "content_revision", 1),
        start=start.replace(microsecond=0),
        reminders=tuple(each.before for each in reminders),
        places={
            find_folded(each): decode_place(each) for each in decode_list(document, "attendees")
        },
    )


def find_folded(attendee: Document) -> str:
    """Return the folded address of an attendee; the version before stored none."""
    folded = attendee.get("folded")
    return folded if isinstance(folded, str) else fold_address(str(attendee.get("email")))


def decode_place(attendee: Document) -> Place:
    return Place(
        is_removed=decode_flag(attendee, "removed"),
        removed_revision=decode_count_or(attendee, "removed_revision", 0),
        invited_count=decode_count_or(attendee, "invited", 1),
    )
