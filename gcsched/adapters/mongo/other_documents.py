"""The other collections, with the reason for every field and index. Private to this package.

`job_document` has the jobs, `meeting_documents` the meetings; `INDEXES` has the indexes of all
collections.

Beanie creates nothing from this module: `Mongo.prepare` and `MongoIndexes` create the indexes, and
`codec` maps the fields of a job to the names in the domain. Names that are stored stay as they are,
because processes of the previous version read and write the same documents during an upgrade. A
new field is therefore optional, and a changed index gets a new name.

Times are UTC and have milliseconds. A field that has no value is absent, not null: the partial
indexes below test for `$exists`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from pydantic import Field
from pymongo import ASCENDING, IndexModel

from gcsched.adapters.mongo.index_names import BY_FOLDED, BY_SUBJECT, BY_WHO, CLIENT_INDEXES
from gcsched.adapters.mongo.job_document import JobDocument, NamedDocument
from gcsched.adapters.mongo.meeting_documents import MeetingDocument, MeetingRevisionDocument


class RecipientDocument(NamedDocument):
    """The user details that callers gave: one document per employee, under the `empid`.

    `MongoRecipients` also stores the lists `saves` and `other_saves`, which make a repeated write
    count once.
    """

    name: str  # of the latest job, as is `email`
    email: str
    folded: str | None = None  # the address without case; no statement finds recipients by it yet
    first_seen: datetime  # create time of the first job and of the latest
    last_seen: datetime
    accepted: int = 0  # jobs accepted for this employee

    class Settings:
        name = "recipients"
        indexes: ClassVar = [
            # No statement of the service: an operator finds a recipient by address with it.
            IndexModel([("email", ASCENDING)], name="email"),
            # `MongoAddressFolding.fill` finds the documents without `folded`.
            IndexModel([("folded", ASCENDING), ("_id", ASCENDING)], name=BY_FOLDED),
        ]


class SuppressionDocument(NamedDocument):
    """An address that gets no mail: one document per spelling, under the address as written.

    Processes of the previous version look only for that spelling, so the id is not folded.
    """

    folded: str | None = None  # the address without case, by which it is found
    reason: str  # the relay's reply, or the text of the caller
    job_id: str  # the job whose relay refused the address; "" when a caller added it
    since: datetime  # create_time
    until: datetime  # expire_time

    class Settings:
        name = "suppressions"
        indexes: ClassVar = [
            # MongoDB's TTL monitor deletes expired suppressions. It runs once a minute, so every
            # statement tests `until` as well.
            IndexModel([("until", ASCENDING)], name="until", expireAfterSeconds=0),
            # Every claim looks up its addresses here in any spelling (`find_active`); `add_one` and
            # `remove` find other spellings, and `MongoAddressFolding.fill` what lacks the field.
            IndexModel([("folded", ASCENDING), ("_id", ASCENDING)], name=BY_FOLDED),
        ]


class RunDocument(NamedDocument):
    """What all processes must agree on, read by id only, so that no other index is needed.

    The id is ``daily:<date>`` for a daily run, ``daily:manual:<time>`` for one that an operator
    started, ``sweep`` for the latest sweep, or ``pause`` while sending is paused.
    """

    started: datetime  # of a pause: its start time
    finished: datetime | None = None  # absent while a daily run is in progress, or was interrupted
    moved: int = 0  # jobs that a daily run made due
    by: str | None = None  # of a pause, as is `reason`
    reason: str | None = None

    class Settings:
        name = "runs"


class UsageDocument(NamedDocument):
    """How many jobs a client has had on a day of UTC: one document under ``<client>:<day>``.

    A reservation that is not given back counts, whether its job was stored or not.
    """

    jobs: int  # reserved, never more than the client's limit at that time
    # The latest reservation of each process, `number` and `count`, under a random name.
    held: dict[str, dict[str, int]] = Field(default_factory=dict)
    delete_after: datetime

    class Settings:
        name = "usage"
        indexes: ClassVar = [
            # MongoDB's TTL monitor deletes the days of more than a month ago.
            IndexModel([("delete_after", ASCENDING)], name="delete_after", expireAfterSeconds=0),
        ]


class AuditDocument(NamedDocument):
    """An act of a caller on many jobs or on the whole service. Its id sorts by time.

    It is inserted before the act and completed after it. It names no employee and no address.
    """

    at: datetime  # when it began
    who: str  # the client, as the service has verified it
    via: str  # the way by which the call came
    act: str  # the method
    details: str  # what it was about
    subjects: list[str]  # digests of employee ids and addresses that it was about
    outcome: str  # STARTED, then DONE or ERROR
    changed: int = 0  # count: jobs or documents that it changed
    error: str = ""  # the reason of the error
    ended: datetime | None = None  # absent while it is STARTED
    delete_after: datetime

    class Settings:
        name = "audit"
        indexes: ClassVar = [
            # Lists by client and by subject; lists by time alone use the id.
            IndexModel([("who", ASCENDING), ("_id", ASCENDING)], name=BY_WHO),
            IndexModel([("subjects", ASCENDING), ("_id", ASCENDING)], name=BY_SUBJECT),
            # MongoDB's TTL monitor deletes entries at the end of their retention.
            IndexModel([("delete_after", ASCENDING)], name="delete_after", expireAfterSeconds=0),
        ]


class HistoryDocument(NamedDocument):
    """What happened in a minute, ten minutes or an hour, added up over all processes (ADR 0054).

    The id is the step and its start, ``minute:2026-12-01T09:30``, and sorts by time.
    """

    start: datetime
    # Counts: attempts by kind, admissions by outcome, and accepted mails by bucket of lateness. The
    # buckets never change: processes of different versions add to them.
    attempts: dict[str, int] = Field(default_factory=dict)
    admissions: dict[str, int] = Field(default_factory=dict)
    lateness: dict[str, int] = Field(default_factory=dict)
    oldest_due: float | None = None  # seconds, the most that any process has seen
    # The number of the latest share of each process, under a random name: each is added once.
    shares: dict[str, int] = Field(default_factory=dict)
    delete_after: datetime

    class Settings:
        name = "history"
        indexes: ClassVar = [
            # MongoDB's TTL monitor deletes what is past its retention. Reads use the id.
            IndexModel([("delete_after", ASCENDING)], name="delete_after", expireAfterSeconds=0),
        ]


DOCUMENTS = (
    JobDocument,
    RecipientDocument,
    SuppressionDocument,
    RunDocument,
    UsageDocument,
    AuditDocument,
    HistoryDocument,
    MeetingDocument,
    MeetingRevisionDocument,
)

INDEXES = {
    document.Settings.name: tuple(getattr(document.Settings, "indexes", ()))
    for document in DOCUMENTS
    if getattr(document.Settings, "indexes", ())
}
"""The indexes of each collection that has any. Others may exist: a newer version creates them."""


def list_indexes(*, has_clients: bool) -> Mapping[str, Sequence[IndexModel]]:
    """Return collection → the indexes that a service with or without access control needs."""
    return {
        collection: [
            each for each in models if has_clients or each.document["name"] not in CLIENT_INDEXES
        ]
        for collection, models in INDEXES.items()
    }
