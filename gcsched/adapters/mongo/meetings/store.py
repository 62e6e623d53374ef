"""The store of meetings and revisions: every write names the version of the meeting that it saw.

A revision is stored before the meeting that points to it, so a process that dies in between leaves
a revision that counts for nothing.
"""

import asyncio
import secrets
from collections.abc import Collection as Ids
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pymongo
from msgspec.structs import replace
from pymongo.errors import DuplicateKeyError

from gcsched.adapters.mongo.codec import (
    DECODE_ERRORS,
    decode_each,
    describe_decode_error,
    read_text,
)
from gcsched.adapters.mongo.connection import Document, Mongo, store_errors
from gcsched.adapters.mongo.index_names import (
    BY_CHECK_TIME,
    BY_ID,
    BY_MEETING,
    BY_OWN_REQUEST_ID,
    BY_REQUEST_ID,
)
from gcsched.adapters.mongo.meeting_document import decode_revision
from gcsched.adapters.mongo.meetings.changes import build_change
from gcsched.adapters.mongo.meetings.meeting_codec import encode_meeting
from gcsched.adapters.mongo.meetings.reader import (
    MeetingReader,
    build_guard,
    list_attendees,
    read_committed,
    require_meeting,
)
from gcsched.adapters.mongo.meetings.revision_codec import encode_revision_document, name_revision
from gcsched.adapters.mongo.meetings.sent_words import note_words
from gcsched.adapters.mongo.meetings.upcoming import find_upcoming
from gcsched.adapters.mongo.quarantine import UnreadableLog
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.job import Job
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meetings.meeting import Meeting
from gcsched.domain.meetings.zone_rules import StoredTimes
from gcsched.errors import StoreUnavailable, UnreadableMeeting
from gcsched.usecases.ports import SentWord

MAX_LOOKUPS = 10
LOOKUP_INTERVAL_SECONDS = 0.02
READ_TIMEOUT_MS = 5_000
DECODED_AT_ONCE = 50  # jobs: then other tasks have their turn


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoMeetings:
    """The port `Meetings` on MongoDB."""

    mongo: Mongo
    retention: timedelta
    unreadable_log: UnreadableLog = field(default_factory=UnreadableLog)

    async def find(self, meeting_id: str) -> Meeting | None:
        """Return the meeting as a majority has it. Raises UnreadableMeeting."""
        meetings = read_committed(self.mongo.meetings)
        with store_errors("reading a meeting"):
            document = await meetings.find_one({"_id": meeting_id}, hint=BY_ID)
            return await self._complete(document)

    async def find_by_request_id(self, request_id: str, *, client: str) -> Meeting | None:
        """Return the meeting that *client* created with *request_id*. Raises UnreadableMeeting."""
        meetings = read_committed(self.mongo.meetings)
        query, index = {"request_id": request_id}, BY_REQUEST_ID
        if client:
            query, index = {"own_request_id": request_id, "client": client}, BY_OWN_REQUEST_ID
        with store_errors("reading a meeting"):
            return await self._complete(await meetings.find_one(query, hint=index))

    async def _complete(self, document: Document | None) -> Meeting | None:
        if document is None:
            return None
        [found] = await MeetingReader(mongo=self.mongo).read([document])
        return require_meeting(found)

    async def insert(self, meeting: Meeting, *, within: timedelta) -> Meeting:
        """Store *meeting* and its first revision; return it, or the one of the same request.

        The unique indexes on request ids decide which of several calls was the first. After an
        error the same call may be repeated.
        """
        kept_until = meeting.revision.end + self.retention
        document = encode_meeting(meeting) | {"delete_after": kept_until}
        revision = encode_revision_document(meeting.revision, delete_after=kept_until)
        with write_errors("storing a meeting"), pymongo.timeout(within.total_seconds()):
            with suppress(DuplicateKeyError):  # it is stored already: the call is repeated
                await self.mongo.meeting_revisions.insert_one(revision)
            try:
                await self.mongo.meetings.insert_one(document)
            except DuplicateKeyError:
                return await self._find_stored(meeting)
        return meeting

    async def _find_stored(self, meeting: Meeting) -> Meeting:
        """Return the meeting that has the id or the request id of *meeting*."""
        for _ in range(MAX_LOOKUPS):
            if (found := await self.find(meeting.id)) is not None:
                return found
            found = await self.find_by_request_id(meeting.request_id, client=meeting.client)
            if found is not None:
                # Its own revision stays without a meeting.
                query = {"_id": name_revision(meeting.id, meeting.revision.number)}
                await self.mongo.meeting_revisions.delete_one(query, hint=BY_ID)
                return found
            await asyncio.sleep(LOOKUP_INTERVAL_SECONDS)  # no majority has it yet
        raise StoreUnavailable("looking up the meeting of an earlier call")

    async def replace(self, seen: Meeting, changed: Meeting, *, within: timedelta) -> bool:
        """Store *changed* if the meeting is as it was *seen*; return whether it was."""
        with write_errors("changing a meeting"), pymongo.timeout(within.total_seconds()):
            if changed.revision.number == seen.revision.number:
                return await self._replace(seen, changed)
            writer = secrets.token_hex(8)
            if not await self._insert_revision(seen, changed.revision, writer):
                return False
            if await self._replace(seen, changed):
                return True
            # Only this write could have pointed the meeting to it.
            await self._delete_revision(changed.revision, writer)
        return False

    async def _replace(self, seen: Meeting, changed: Meeting) -> bool:
        change = build_change(seen, changed)
        kept_until = changed.revision.end + self.retention
        if changed.revision.end > seen.revision.end:
            await self._keep_revisions(changed, kept_until)  # none may be missing before its time
        change["$set"]["delete_after"] = kept_until
        result = await self.mongo.meetings.update_one(build_guard(seen), change, hint=BY_ID)
        if not result.matched_count:
            return False
        # The meeting may have moved to an earlier time: again when it is settled, for the case that
        # a process died in between.
        is_settled = changed.check_time is None and changed.revision.number > 1
        if changed.revision.end < seen.revision.end or is_settled:
            await self._keep_revisions(changed, kept_until)
        return True

    async def _keep_revisions(self, meeting: Meeting, kept_until: datetime) -> None:
        numbers = range(1, meeting.revision.number + 1)
        await self.mongo.meeting_revisions.update_many(
            {"_id": {"$in": [name_revision(meeting.id, number) for number in numbers]}},
            {"$set": {"delete_after": kept_until}},
            hint=BY_ID,
        )

    async def _insert_revision(self, seen: Meeting, revision: MeetingRevision, writer: str) -> bool:
        """Store *revision*; return False if its number is taken by a write that did not end.

        That revision is deleted then, for the next try. First the version of the meeting is raised,
        so that the other write cannot point the meeting to it any more.
        """
        document = encode_revision_document(
            revision, delete_after=revision.end + self.retention, writer=writer
        )
        try:
            await self.mongo.meeting_revisions.insert_one(document)
        except DuplicateKeyError:
            found = await self.mongo.meeting_revisions.find_one(
                {"_id": document["_id"]}, {"writer": 1}, hint=BY_ID
            )
            raised = await self.mongo.meetings.update_one(
                build_guard(seen), {"$inc": {"version": 1}}, hint=BY_ID
            )
            if raised.matched_count and found is not None:
                await self._delete_revision(revision, str(found.get("writer")))
            return False
        return True

    async def _delete_revision(self, revision: MeetingRevision, writer: str) -> None:
        query = {"_id": name_revision(revision.meeting_id, revision.number), "writer": writer}
        await self.mongo.meeting_revisions.delete_one(query, hint=BY_ID)

    async def find_revisions(
        self, meeting_id: str, numbers: Ids[int]
    ) -> Mapping[int, MeetingRevision]:
        """Return those of the revisions *numbers* that exist. Raises UnreadableMeeting."""
        if not numbers:
            return {}
        query = {"_id": {"$in": [name_revision(meeting_id, number) for number in numbers]}}
        with store_errors("reading revisions of a meeting"):
            found = await self.mongo.meeting_revisions.find(query, hint=BY_ID).to_list(None)
        try:
            revisions = [decode_revision(each) for each in found]
        except DECODE_ERRORS as error:
            raise UnreadableMeeting(meeting_id, describe_decode_error(error)) from error
        return {each.number: each for each in revisions}

    async def find_jobs(self, meeting_id: str) -> Sequence[Job]:
        """Return the jobs of the meeting, in every state, as the primary has them.

        One that cannot be read is left out: its dedup key keeps a second mail from being made.
        """
        query = {"invitation.meeting": meeting_id}
        jobs: list[Job] = []
        with store_errors("reading the jobs of a meeting"):
            found = self.mongo.jobs.find(query, hint=BY_MEETING, max_time_ms=READ_TIMEOUT_MS)
            documents = await found.to_list(None)
        for start in range(0, len(documents), DECODED_AT_ONCE):
            readable, unreadable = decode_each(documents[start : start + DECODED_AT_ONCE])
            self.unreadable_log.warn(unreadable)
            jobs += [job for _, job in readable]
            await asyncio.sleep(0)
        return await self._restore_recipients(meeting_id, jobs)

    async def _restore_recipients(self, meeting_id: str, jobs: Sequence[Job]) -> Sequence[Job]:
        """Return *jobs* with the addresses that were erased: they prove what was sent to whom.

        The attendee of a meeting that is not over keeps the address, whatever is erased in jobs.
        """
        if not any(job.is_erased for job in jobs):
            return jobs
        fields = {"attendees.job_id": 1, "attendees.email": 1}
        with store_errors("reading a meeting"):
            found = await self.mongo.meetings.find_one({"_id": meeting_id}, fields, hint=BY_ID)
        emails = {
            read_text(each, "job_id"): read_text(each, "email")
            for each in list_attendees(found or {})
        }
        return [replace(job, email=job.email or emails.get(job.id, "")) for job in jobs]

    async def find_unchecked(self, *, now: datetime, most: int) -> Sequence[str]:
        """Return the ids of *most* meetings whose check time has come, the longest due first."""
        with store_errors("looking for unchecked meetings"):
            found = self.mongo.meetings.find(
                {"check": {"$lte": now}}, {"_id": 1}, sort=[("check", 1)], hint=BY_CHECK_TIME
            )
            return [str(each["_id"]) for each in await found.limit(most).to_list(most)]

    async def find_upcoming(
        self, after: StoredTimes | None, *, now: datetime, most: int
    ) -> Sequence[StoredTimes]:
        """Return *most* meetings that start after *now*, in the order of their starts."""
        with store_errors("looking for meetings to come"):
            return await find_upcoming(self.mongo, after, now=now, most=most)

    async def note_sent(self, words: Sequence[SentWord]) -> Ids[str]:
        """Note *words*; return the ids of the meetings that have to be looked at."""
        with write_errors("noting what attendees were sent"):
            return await note_words(self.mongo, words)

    async def put_off(self, ids: Ids[str], until: datetime) -> None:
        """Have the meetings *ids*, which cannot be looked at now, looked at not before *until*."""
        with write_errors("putting off meetings"):
            await self.mongo.meetings.update_many(
                {"_id": {"$in": list(ids)}, "check": {"$lt": until}},
                {"$set": {"check": until}},
                hint=BY_ID,
            )
