"""Erases an employee in the meetings that are over for that attendee.

An attendee who may have to learn of a change keeps the address: the meeting is kept then, and
counted. Erasing works on documents: one that cannot be decoded holds personal data as well.
"""

from collections.abc import Collection as Ids
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pymongo import UpdateMany

from gcsched.adapters.mongo.codec import read_count, read_time
from gcsched.adapters.mongo.connection import Document, Mongo, store_errors
from gcsched.adapters.mongo.index_names import BY_ATTENDEE, BY_ID, BY_MEETING
from gcsched.adapters.mongo.meetings.reader import list_attendees
from gcsched.adapters.mongo.meetings.revision_codec import name_revision
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.job import FINAL_STATES
from gcsched.domain.meetings.meeting import MeetingState
from gcsched.domain.recipient import ERASED_MEETING_TEXTS
from gcsched.usecases.ports import ErasedMeetings

FINISHED = {"$in": [state.value for state in FINAL_STATES]}
NOT_FINISHED = {"$nin": [state.value for state in FINAL_STATES]}
MAX_REVISIONS = 10_000
PROJECTION = dict.fromkeys(
    ("revision", "state", "end", "check", "attendees.empid", "attendees.email"), 1
) | {"attendees.removed": 1}
ATTENDEE_TEXTS = ("email", "folded", "name")
ATTENDEE_REASONS = ("delivery_reason", "removal_reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingErasure:
    """Erases *empid* as of *now*."""

    mongo: Mongo
    empid: str
    now: datetime

    async def erase(self, *, after: str, most: int) -> ErasedMeetings:
        """Erase the employee in *most* meetings that follow *after*, unless they are not over."""
        invited = {"attendees": {"$elemMatch": {"empid": self.empid, "email": {"$ne": ""}}}}
        query = {"attendees.empid": self.empid, "_id": {"$gt": after}, **invited}
        with store_errors("erasing meetings"):
            meetings = self.mongo.meetings.find(query, PROJECTION, hint=BY_ATTENDEE)
            found = await meetings.sort("_id", 1).limit(most).to_list(most)
            waiting = await self._find_waiting([each["_id"] for each in found])
        free = [each for each in found if each["_id"] not in waiting]
        over = [each for each in free if self._is_over(each)]
        with write_errors("erasing meetings"):
            for document in over:
                await self._erase(document)
        last = found[-1]["_id"] if len(found) == most else None
        return ErasedMeetings(kept=len(free) - len(over), last=last)

    async def _find_waiting(self, ids: Sequence[str]) -> Ids[str]:
        """Return those of *ids* that have unfinished mails to the employee."""
        query = {
            "invitation.meeting": {"$in": list(ids)},
            "empid": self.empid,
            "state": NOT_FINISHED,
        }
        found = self.mongo.jobs.find(query, {"invitation.meeting": 1}, hint=BY_MEETING)
        return {each["invitation"]["meeting"] async for each in found}

    def _is_over(self, document: Document) -> bool:
        """Return whether no mail about the meeting can go to the employee any more."""
        own = [each for each in list_attendees(document) if each.get("empid") == self.empid]
        is_off = self._is_past(document) or all(each.get("removed") for each in own)
        return self._has_ended(document) or (is_off and "check" not in document)

    def _has_ended(self, document: Document) -> bool:
        return read_time(document, "end") <= self.now

    def _is_past(self, document: Document) -> bool:
        """Return whether the meeting does not take place any more, for anyone."""
        is_cancelled = document.get("state") == MeetingState.CANCELLED.value
        return is_cancelled or self._has_ended(document)

    async def _erase(self, document: Document) -> None:
        """Erase the meeting last: one that is erased is not found again."""
        own = [each for each in list_attendees(document) if each.get("empid") == self.empid]
        guests = {"email": {"$in": [each.get("email") for each in own]}}
        await self._erase_revisions(document, guests)
        # The others' mails may have named the employee.
        await self.mongo.jobs.update_many(
            {
                "invitation.meeting": document["_id"],
                "state": FINISHED,
                "invitation.guests": {"$elemMatch": guests},
            },
            {"$pull": {"invitation.guests": guests}},
            hint=BY_MEETING,
        )
        await self._erase_meeting(document)

    async def _erase_revisions(self, document: Document, guests: Document) -> None:
        count = min(read_count(document, "revision"), MAX_REVISIONS)
        names = [name_revision(document["_id"], number) for number in range(1, count + 1)]
        if self._is_past(document):
            change: Document = {"$set": ERASED_MEETING_TEXTS, "$unset": {"guests": ""}}
            query: Document = {"_id": {"$in": names}}
        else:
            change = {"$pull": {"guests": guests}}
            query = {"_id": {"$in": names}, "guests": {"$elemMatch": guests}}
        await self.mongo.meeting_revisions.update_many(query, change, hint=BY_ID)

    async def _erase_meeting(self, document: Document) -> None:
        texts = {f"attendees.$[one].{name}": "" for name in ATTENDEE_TEXTS}
        removed = {f"attendees.$[one].{name}": "" for name in ATTENDEE_REASONS}
        if self._is_past(document):
            removed |= {"labels": "", "texts.variables": ""}
        change = {"$set": texts, "$unset": removed, "$inc": {"version": 1}}
        this = {"_id": document["_id"]}
        writes = [
            UpdateMany(this, change, array_filters=[{"one.empid": self.empid}], hint=BY_ID),
            UpdateMany(
                this | {"steps.reason": {"$gt": ""}},
                {"$set": {"steps.$[one].reason": ""}},
                array_filters=[{"one.reason": {"$gt": ""}}],
                hint=BY_ID,
            ),
        ]
        await self.mongo.meetings.bulk_write(writes[::-1], ordered=True)
