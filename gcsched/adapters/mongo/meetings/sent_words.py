"""Notes in many meetings at once that their only mail was sent: nothing is read for it.

This is for the meetings of requests with an event, of which a burst may send thousands. A meeting
that is anything else is left as it is, to be looked at.
"""

from collections.abc import Collection as Ids
from collections.abc import Sequence

from pymongo import UpdateOne

from gcsched.adapters.mongo.connection import Document, Mongo
from gcsched.adapters.mongo.index_names import BY_ID
from gcsched.adapters.mongo.meetings.attendee_codec import encode_word
from gcsched.adapters.mongo.meetings.reader import list_attendees
from gcsched.domain.job import State
from gcsched.domain.meetings.meeting import MeetingState, Told
from gcsched.usecases.ports import SentWord

HAS_NO_VALUE = {"$exists": False}
SENT_PROJECTION = {"attendees.job_id": 1, "attendees.told": 1, "check": 1}


async def note_words(mongo: Mongo, words: Sequence[SentWord]) -> Ids[str]:
    """Note *words* in the meetings that nothing else is to be done for; return the ids of others.

    Raises the driver's errors.
    """
    result = await mongo.meetings.bulk_write([*map(build_note, words)], ordered=False)
    if result.matched_count == len(words):
        return ()
    jobs = {word.job_id for word in words}
    query = {"_id": {"$in": [word.meeting_id for word in words]}}
    found = mongo.meetings.find(query, SENT_PROJECTION, hint=BY_ID)
    return {str(each["_id"]) async for each in found if not is_settled(each, jobs)}


def build_note(word: SentWord) -> UpdateOne:
    """Build the update of a meeting with one attendee, who has this first mail now."""
    query = {
        "_id": word.meeting_id,
        "state": MeetingState.SCHEDULED.value,
        "content_revision": {"$not": {"$gt": word.word.revision}},  # or absent
        "reminders": HAS_NO_VALUE,
        "attendees.0.job_id": word.job_id,
        "attendees.0.removed": HAS_NO_VALUE,
        "attendees.0.invited": HAS_NO_VALUE,
        "attendees.0.thread": HAS_NO_VALUE,
        "attendees.1": HAS_NO_VALUE,
    }
    fields = {
        **encode_word(word.word),
        "delivery": State.SENT.value,
        "shown": word.word.revision,
        "thread": word.message_id,
    }
    return UpdateOne(
        query,
        {
            "$set": {f"attendees.0.{name}": value for name, value in fields.items()},
            "$unset": {"check": "", "attendees.0.delivery_reason": ""},
            "$inc": {"version": 1},
        },
        hint=BY_ID,
    )


def is_settled(document: Document, jobs: Ids[str]) -> bool:
    """Return whether a word of one of *jobs* is noted in a meeting, and nothing is left to do."""
    attendees = list_attendees(document)
    if len(attendees) != 1 or "check" in document:
        return False
    [attendee] = attendees
    return attendee.get("told") == Told.SURE.value and attendee.get("job_id") in jobs
