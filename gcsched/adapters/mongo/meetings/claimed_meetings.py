"""Whether claimed mails about meetings are still wanted: one read for each claimed batch."""

from collections.abc import Collection as Ids
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
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
from gcsched.adapters.mongo.meeting_document import cut_to_second
from gcsched.adapters.mongo.meetings.attendee_codec import decode_count_or
from gcsched.adapters.mongo.meetings.event_meetings import MongoEventMeetings
from gcsched.adapters.mongo.meetings.meeting_codec import STATES, decode_list, decode_reminder
from gcsched.adapters.mongo.meetings.reader import read_committed
from gcsched.adapters.mongo.quarantine import UnreadableLog
from gcsched.domain.address_folding import fold_address
from gcsched.domain.job import Job
from gcsched.domain.meeting_mail import MeetingMail
from gcsched.domain.meetings.claims import Objection, Place, Standing, find_objection
from gcsched.usecases.problem_log import ProblemLog

Document = Mapping[str, Any]

READ_TIMEOUT_SECONDS = 5.0
MISSING = Objection(reason="its meeting no longer exists", is_final=True)
NOT_STORED = Objection(reason="its meeting could not be stored", is_final=False)
UNREADABLE = Objection(reason="its meeting cannot be read", is_final=False)
STANDING_FIELDS = ("state", "content_revision", "start", "reminders")
PLACE_FIELDS = ("folded", "email", "removed", "removed_revision", "invited")
STANDING_PROJECTION = dict.fromkeys(
    (*STANDING_FIELDS, *(f"attendees.{name}" for name in PLACE_FIELDS)), 1
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoClaimedMeetings:
    """The port `ClaimedMeetings` on MongoDB."""

    mongo: Mongo
    event_meetings: MongoEventMeetings
    unreadable_log: UnreadableLog = field(default_factory=UnreadableLog)
    _store_log: ProblemLog = field(
        default_factory=partial(
            ProblemLog, event="meetings not stored, retrying", end_event="meetings stored again"
        ),
        init=False,
    )

    async def check(self, jobs: Sequence[Job]) -> Mapping[str, Objection]:
        """Return job id → why it must not be sent now, for those of *jobs* that must not be.

        The majority read cannot miss a change that its caller knows of. One that is not confirmed
        yet may be missed: its caller still looks for the jobs that are claimed. A job about an
        example may be sent: no meeting is stored for it.
        """
        about = [(job, found) for job in jobs if (found := find_meeting_id(job))]
        if not about:
            return {}
        with store_errors("checking meetings"), pymongo.timeout(READ_TIMEOUT_SECONDS):
            documents = await self._read({meeting_id for _, meeting_id in about})
        standings = {each["_id"]: self._decode(each) for each in documents}
        objections: dict[str, Objection] = {}
        missing: list[Job] = []
        for job, meeting_id in about:
            if meeting_id not in standings:
                missing.append(job)
            elif (objection := object_to(job, standings[meeting_id])) is not None:
                objections[job.id] = objection
        return {**objections, **await self._restore(missing)} if missing else objections

    async def _restore(self, jobs: Sequence[Job]) -> Mapping[str, Objection]:
        """Store the meetings of *jobs*, which are missing; return why each must not be sent now."""
        restorable = [job for job in jobs if may_make_meeting(job)]
        objections = {job.id: MISSING for job in jobs if not may_make_meeting(job)}
        if not restorable:
            return objections
        errors = await self.event_meetings.restore(restorable)
        if errors:
            self._store_log.record_failure(next(iter(errors.values())).for_log)
        else:
            self._store_log.record_success()
        refused = [job for job in restorable if find_meeting_id(job) in errors]
        return objections | {job.id: NOT_STORED for job in refused}

    async def _read(self, ids: Ids[str]) -> Sequence[Document]:
        meetings = read_committed(self.mongo.meetings_without_time_zones)
        found = meetings.find({"_id": {"$in": list(ids)}}, STANDING_PROJECTION, hint=BY_ID)
        return await found.to_list(None)

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
        start=cut_to_second(start),
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
