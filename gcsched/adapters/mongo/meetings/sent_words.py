"""Notes in many meetings at once that their only mail was sent: nothing is read for it.

This is for the meetings of requests with an event, of which a burst may send thousands. A meeting
that is anything else is left as it is, to be looked at.
"""

from collections.abc import Collection as Ids
from collections.abc import Sequence
from typing import Any

from gcsched.adapters.mongo.bulk_write import UpdatePipeline, update_each
from gcsched.adapters.mongo.connection import Document, Mongo
from gcsched.adapters.mongo.index_names import BY_ID
from gcsched.adapters.mongo.meetings.attendee_codec import encode_word
from gcsched.adapters.mongo.meetings.reader import list_attendees
from gcsched.domain.job import State
from gcsched.domain.meetings.meeting import MeetingState, Told, Word
from gcsched.usecases.ports import SentWord

HAS_NO_VALUE = {"$exists": False}
SENT_PROJECTION = {"attendees.job_id": 1, "attendees.told": 1, "check": 1}


async def note_words(mongo: Mongo, words: Sequence[SentWord]) -> Ids[str]:
    """Note *words* in the meetings that nothing else is to be done for; return the ids of others.

    One update for all that have the same word. A few meetings that cannot be written do not stop
    the others; they are to be looked at. Raises the driver's errors.
    """
    matched = 0
    for word, group in group_by_word(words).items():
        ids = [each.meeting_id for each in group]
        guard, change = build_guard(word, group), build_note(word, group)
        updated = await update_each(mongo.meetings, ids, guard, change)
        matched += updated.raise_refusal().matched
    if matched == len(words):
        return ()
    jobs = {word.job_id for word in words}
    query = {"_id": {"$in": [word.meeting_id for word in words]}}
    found = mongo.meetings.find(query, SENT_PROJECTION, hint=BY_ID)
    return {str(each["_id"]) async for each in found if not is_settled(each, jobs)}


def group_by_word(words: Sequence[SentWord]) -> dict[Word, list[SentWord]]:
    groups: dict[Word, list[SentWord]] = {}
    for each in words:
        groups.setdefault(each.word, []).append(each)
    return groups


def build_guard(word: Word, group: Sequence[SentWord]) -> dict[str, Any]:
    """Build the filter for meetings with one attendee, who has this first mail now.

    A job is about one meeting, so each is found by its own job. `thread` is what the note writes,
    so that it does not match a second time. An expression that fails at one document would fail the
    statement, hence the types.
    """
    return {
        "state": MeetingState.SCHEDULED.value,
        "version": {"$type": "number"},
        "content_revision": {"$not": {"$gt": word.revision}},  # or absent
        "reminders": HAS_NO_VALUE,
        "attendees": {"$type": "array", "$size": 1},
        "attendees.0.job_id": {"$in": [each.job_id for each in group]},
        "attendees.0.removed": HAS_NO_VALUE,
        "attendees.0.invited": HAS_NO_VALUE,
        "attendees.0.thread": HAS_NO_VALUE,
    }


def build_note(word: Word, group: Sequence[SentWord]) -> UpdatePipeline:
    """Build the update that merges the note into the only attendee of each meeting.

    The server looks up the place of the attendee's job in *group*, and takes the thread at that
    place. `build_guard` matches no attendee whose job is not among them.
    """
    threads = {each.job_id: each.message_id for each in group}
    job = {"$first": "$attendees.job_id"}
    place = {"$indexOfArray": [{"$literal": list(threads)}, job]}
    fields = {**encode_word(word), "delivery": State.SENT.value, "shown": word.revision}
    note = {
        **{name: {"$literal": value} for name, value in fields.items()},
        "thread": {"$arrayElemAt": [{"$literal": list(threads.values())}, place]},
    }
    attendee = {"$mergeObjects": [{"$first": "$attendees"}, note]}
    return [
        {"$set": {"attendees": [attendee], "version": {"$add": ["$version", 1]}}},
        {"$unset": ["check", "attendees.delivery_reason"]},
    ]


def is_settled(document: Document, jobs: Ids[str]) -> bool:
    """Return whether a word of one of *jobs* is noted in a meeting, and nothing is left to do."""
    attendees = list_attendees(document)
    if len(attendees) != 1 or "check" in document:
        return False
    [attendee] = attendees
    return attendee.get("told") == Told.SURE.value and attendee.get("job_id") in jobs
