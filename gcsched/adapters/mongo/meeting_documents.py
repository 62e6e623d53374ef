"""The collections of meetings, with the reason for every field and index. Private to this package.

What `other_documents` says is true for these as well. The jobs of a meeting are in `jobs`.
"""

from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field
from pymongo import ASCENDING, IndexModel

from gcsched.adapters.mongo.index_names import (
    BY_ATTENDEE,
    BY_ATTENDEE_ADDRESS,
    BY_CHECK_TIME,
    BY_CLIENT,
    BY_CLIENT_AND_ORGANIZER,
    BY_CLIENT_AND_START,
    BY_ORGANIZER,
    BY_OWN_REQUEST_ID,
    BY_REQUEST_ID,
    BY_START,
)
from gcsched.adapters.mongo.job_document import NamedDocument


class MeetingDocument(NamedDocument):
    """A meeting, under its meeting id, which sorts by creation.

    The meeting of a request with an event is derived from the job of that request, which is stored
    first. So it can be made again from it: for a repeated call, and before the mail is composed
    (`MongoEventMeetings`, ADR 0049). All other meetings are stored before their jobs (ADR 0051).
    """

    uid: str  # the meeting in every calendar
    state: str  # SCHEDULED or CANCELLED
    version: int  # rises with every change: writers match it against what they read
    revision: int  # the number of its latest revision, which holds what the mails show
    # These seven repeat the latest revision: for lists, and for the check after each claim.
    sequence: int
    start: datetime
    end: datetime
    start_wall: str  # what the caller asked for, as clocks in `zone` show it
    zone: str
    organizer: str  # an address
    # Each attendee: empid, email, folded (the address without case) and name ("" once forgotten),
    # job_id of the latest invitation, update or cancellation; and where they have a value: role,
    # removed, removed_revision (that of the cancellation) and removal_reason, invited (how often)
    # and invited_revision (what mails show at least since then), the word that the attendee has
    # (its certainty, method, sequence, and in `heard` the number of its revision), the job as it
    # was last seen (delivery, delivery_reason, and in `shown` the number of its revision), and
    # thread (the first Message-ID).
    attendees: list[dict[str, Any]]
    client: str | None = None  # the client that created it; absent if it has no name
    created: datetime
    delete_after: datetime  # a retention after the end
    # The version before wrote no field from here on.
    changes: int = 0  # counts the changes by callers: the etag is made of it
    content_revision: int = 1  # the earliest revision whose content still holds for all
    reminders: list[dict[str, Any]] | None = None  # seconds before the start, and a template
    guests_see: bool | None = None  # guests_see_each_other
    invite: datetime | None = None  # invite_time, and the revision that set it, if not the first
    invite_revision: int | None = None
    reminder_revision: int | None = None
    texts: dict[str, Any] | None = None  # templates and subjects by purpose, values for templates
    labels: dict[str, str] | None = None  # for the caller, also those of its jobs
    sender: str | None = None  # the key of the sender of its mails; absent for the default one
    strict_time: bool | None = None
    # The caller's id of the request, in two fields as in a job, and a digest of its content.
    request_id: str | None = None
    own_request_id: str | None = None
    fingerprint: str | None = None
    updated: datetime | None = None  # when a caller last changed it
    check: datetime | None = None  # check_time: absent when nothing is left to do
    steps: list[dict[str, Any]] = Field(default_factory=list)  # of callers, the latest last

    class Settings:
        name = "meetings"
        indexes: ClassVar = [
            # `MongoPersonalData.erase_meetings` finds the meetings of a forgotten employee.
            IndexModel([("attendees.empid", ASCENDING), ("_id", ASCENDING)], name=BY_ATTENDEE),
            # Decides which of several calls with one request id was the first, and finds its
            # meeting. Two fields and two indexes, so that each named client has its own ids.
            IndexModel(
                [("request_id", ASCENDING)],
                name=BY_REQUEST_ID,
                unique=True,
                partialFilterExpression={"request_id": {"$exists": True}},
            ),
            IndexModel(
                [("own_request_id", ASCENDING), ("client", ASCENDING)],
                name=BY_OWN_REQUEST_ID,
                unique=True,
                partialFilterExpression={"own_request_id": {"$exists": True}},
            ),
            # `MongoMeetings.find_unchecked`: the meetings that the sweep looks at. Partial, so that
            # it holds only those with something left to do.
            IndexModel(
                [("check", ASCENDING)],
                name=BY_CHECK_TIME,
                partialFilterExpression={"check": {"$exists": True}},
            ),
            # Lists by start, by organizer, and by the address of an attendee in any spelling; those
            # by creation need only the id.
            IndexModel([("start", ASCENDING), ("_id", ASCENDING)], name=BY_START),
            IndexModel(
                [("organizer", ASCENDING), ("start", ASCENDING), ("_id", ASCENDING)],
                name=BY_ORGANIZER,
            ),
            IndexModel(
                [("attendees.folded", ASCENDING), ("_id", ASCENDING)], name=BY_ATTENDEE_ADDRESS
            ),
            # The same for the meetings of one client, except by attendee: those are few anyway.
            IndexModel(
                [("client", ASCENDING), ("_id", ASCENDING)],
                name=BY_CLIENT,
                partialFilterExpression={"client": {"$exists": True}},
            ),
            IndexModel(
                [("client", ASCENDING), ("start", ASCENDING), ("_id", ASCENDING)],
                name=BY_CLIENT_AND_START,
                partialFilterExpression={"client": {"$exists": True}},
            ),
            IndexModel(
                [
                    ("client", ASCENDING),
                    ("organizer", ASCENDING),
                    ("start", ASCENDING),
                    ("_id", ASCENDING),
                ],
                name=BY_CLIENT_AND_ORGANIZER,
                partialFilterExpression={"client": {"$exists": True}},
            ),
            # MongoDB's TTL monitor deletes meetings a retention after their end.
            IndexModel([("delete_after", ASCENDING)], name="delete_after", expireAfterSeconds=0),
        ]


class MeetingRevisionDocument(NamedDocument):
    """What the mails about a meeting show, under ``<meeting id>:<number>``, by which it is read.

    The other fields are those of `encode_revision`. Only erasing an employee changes one.
    """

    meeting: str  # the meeting id
    number: int  # of the revision, from 1
    # The write that stored it. Another write that needs the number removes it by this mark, if its
    # meeting was not changed (`MongoMeetings.replace`). Absent in the first revision.
    writer: str | None = None
    delete_after: datetime  # as its meeting

    class Settings:
        name = "meeting_revisions"
        indexes: ClassVar = [
            # MongoDB's TTL monitor deletes revisions together with their meeting.
            IndexModel([("delete_after", ASCENDING)], name="delete_after", expireAfterSeconds=0),
        ]
