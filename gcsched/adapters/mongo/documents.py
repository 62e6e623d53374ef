"""The collections, with the reason for every field and index. Private to this package.

Beanie creates nothing from this module: `Mongo.prepare` and `MongoIndexes` create the indexes, and
`codec` maps the fields of a job to the names in the domain. Names that are stored stay as they are,
because processes of the previous version read and write the same documents during an upgrade. A
new field is therefore optional, and a changed index gets a new name.

Times are UTC and have milliseconds. A field that has no value is absent, not null: the partial
indexes below test for `$exists`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from beanie import Document
from pydantic import Field
from pymongo import ASCENDING, IndexModel

# MongoDB's planner caches a plan that won while a collection was small, and keeps it when the
# collection has grown. So every statement names its index with one of these hints, and a missing
# index is an error at once instead of a slow scan.
BY_ID = "_id_"
BY_CLAIM = "claim"
BY_DEDUP_KEY = "dedup_key"
BY_REQUEST_ID = "request_id"
BY_STATE_AND_DUE = "state_due_id"
BY_PRIORITY = "priority_state_due"
BY_REQUEST_ID_AND_ID = "request_id_id"
BY_OWN_REQUEST_ID = "own_request_id_client"
BY_OWN_REQUEST_ID_AND_ID = "own_request_id_id"
BY_CLIENT = "client_id"
BY_CLIENT_AND_STATE = "client_state_due_id"
BY_EMPID = "empid_id"
BY_EMAIL = "email_id"
BY_FOLDED = "folded_id"
BY_ERASED = "email_folded"
BY_CLIENT_AND_STATE = "client_state_due_id"
BY_WHO = "who_id"
BY_SUBJECT = "subjects_id"

# An index cannot change its keys, so `empid_id` and `email_id` replaced these. `state_due_id`
# replaced `state_due` as well, and no statement names `lease` any more, but processes of a previous
# version name them in every claim or sweep, and create them at their start: an operator drops these
# two when none of those processes runs any more (ADR 0033).
RETIRED_INDEXES = ("empid_created", "email_created")


class NamedDocument(Document):
    """A document whose id means something: a job id, an employee, an address, a day."""

    id: str  # type: ignore[assignment]  # Beanie's own default is an ObjectId


class JobDocument(NamedDocument):
    """One job, from the call until `delete_after`. Its id sorts by creation.

    If the domain has another name for a field, its comment begins with that name. A quarantined job
    has two more fields, see `quarantine`: `aside` (its state before) and `unfit` (why, and when).
    """

    state: str  # a `State`, or UNREADABLE for a quarantined job
    empid: str  # the employee, by the id that callers use
    email: str  # as the caller wrote it; "" once the employee is forgotten
    folded: str | None = None  # the address without case, for lists and suppressions (ADR 0025)
    message: str  # the text of the mail; "" once the employee is forgotten
    name: str  # of the employee, for the greeting; "" once forgotten
    created: datetime  # create_time
    due_at: datetime  # schedule_time: what the caller asked for
    due: datetime  # due_time: when the service acts next
    not_after: datetime | None = None  # expire_time; the first version stored none
    since: datetime  # state_time: when `state` was entered
    message_id: str  # the same in every attempt, so that a mailbox can drop a repeated mail
    # `dedup_key` is present while it keeps other jobs out. `released_key` is where a job that ended
    # keeps its key, so that a retry can take it again. `dedup_until` ends an employee's window.
    dedup_key: str | None = None
    released_key: str | None = None
    template: str = "doc"  # the name of its template
    variables: dict[str, str] | None = None  # values for the template
    labels: dict[str, str] | None = None  # for the caller, returned as they were given
    reply_to: str | None = None  # the Reply-To header
    # The caller's id of the request, unique while the key is held: `request_id` of a caller without
    # a name, `own_request_id` of a named client, which is unique for that client only.
    request_id: str | None = None
    own_request_id: str | None = None
    fingerprint: str | None = None  # a digest of the content, to refuse a reused request id
    dedup_until: datetime | None = None
    not_after_asked: bool | None = None  # has_own_expire_time: a daily run must not move it
    priority: str | None = None  # stored for URGENT jobs only, which keeps their index small
    attempt: int = 0  # attempts that count towards the limit
    takebacks: int = 0  # lease_expirations
    version: int = 0  # rises with every change of state: writers match it against what they read
    # The three fields of a claim exist while the job is SENDING. `claim` is the token of the batch,
    # `lease` ends by the server's clock, and `begun` is the fence: it is written before the body.
    # `lease` has no index: sweeps find expired ones among the jobs in SENDING (ADR 0033).
    claim: str | None = None
    lease: datetime | None = None
    begun: datetime | None = None
    date: datetime | None = None  # the Date header: the fence stores it, a resend repeats it
    client: str | None = None  # the client that scheduled it; absent if it has no name
    reason: str = ""  # why the job is in `state`, for people
    # The history, the latest last: begun, ended, kind (LATER and OURS are DEFERRED and RELAY in the
    # domain), relay, code, enhanced and text of each attempt.
    attempts: list[dict[str, Any]] = Field(default_factory=list)
    # What callers did to the job, the latest last: at, who, via, act, was and now (states), reason.
    # Absent until one did anything.
    steps: list[dict[str, Any]] | None = None
    delete_after: datetime | None = None  # set in final states only

    class Settings:
        name = "jobs"
        keep_nulls = False
        indexes: ClassVar = [
            # Admission inserts without looking: this index decides which of several callers was
            # first. It also finds the holder of a key (`MongoKeyHolders`, `change`) and expired
            # keys (`release_expired_keys`). Partial, because many jobs have released their key.
            IndexModel(
                [("dedup_key", ASCENDING)],
                name=BY_DEDUP_KEY,
                unique=True,
                partialFilterExpression={"dedup_key": {"$exists": True}},
            ),
            # The same for request ids. A job that releases its key leaves this index too, so that
            # the id can be used again. Serves `MongoKeyHolders` and the holder in `change`.
            IndexModel(
                [("request_id", ASCENDING)],
                name=BY_REQUEST_ID,
                unique=True,
                partialFilterExpression={
                    "request_id": {"$exists": True},
                    "dedup_key": {"$exists": True},
                },
            ),
            # Lists by request id. They include the jobs that released their key, which the unique
            # index above does not hold.
            IndexModel(
                [("request_id", ASCENDING), ("_id", ASCENDING)],
                name=BY_REQUEST_ID_AND_ID,
                partialFilterExpression={"request_id": {"$exists": True}},
            ),
            # The same two for the request ids of named clients: each client has its own. These and
            # the next two are CLIENT_INDEXES.
            IndexModel(
                [("own_request_id", ASCENDING), ("client", ASCENDING)],
                name=BY_OWN_REQUEST_ID,
                unique=True,
                partialFilterExpression={
                    "own_request_id": {"$exists": True},
                    "dedup_key": {"$exists": True},
                },
            ),
            IndexModel(
                [("own_request_id", ASCENDING), ("_id", ASCENDING)],
                name=BY_OWN_REQUEST_ID_AND_ID,
                partialFilterExpression={"own_request_id": {"$exists": True}},
            ),
            # The jobs of one client: its lists and counts in the order of creation, and those by
            # state, by which its limits count what waits. Partial, so that jobs of callers without
            # a name cost nothing here.
            IndexModel(
                [("client", ASCENDING), ("_id", ASCENDING)],
                name=BY_CLIENT,
                partialFilterExpression={"client": {"$exists": True}},
            ),
            IndexModel(
                [
                    ("client", ASCENDING),
                    ("state", ASCENDING),
                    ("due", ASCENDING),
                    ("_id", ASCENDING),
                ],
                name=BY_CLIENT_AND_STATE,
                partialFilterExpression={"client": {"$exists": True}},
            ),
            # Claims, the daily run, sweeps and expired leases, quarantine, counts per state and
            # lists by state. The id comes last in every list index, so that a page can start after
            # any job.
            IndexModel(
                [("state", ASCENDING), ("due", ASCENDING), ("_id", ASCENDING)],
                name=BY_STATE_AND_DUE,
            ),
            # Claims of urgent jobs, which must not wait behind a backlog of normal ones. It starts
            # with `priority` because Beanie keeps only one index for each list of fields.
            IndexModel(
                [("priority", ASCENDING), ("state", ASCENDING), ("due", ASCENDING)],
                name=BY_PRIORITY,
                partialFilterExpression={"priority": "URGENT"},
            ),
            # The jobs that a claim has taken, its renewal and its release; repairs of stale claims.
            # Partial, so that it holds only the jobs that are being sent.
            IndexModel(
                [("claim", ASCENDING)],
                name=BY_CLAIM,
                partialFilterExpression={"claim": {"$exists": True}},
            ),
            # Lists by employee; counting and erasing the jobs of a forgotten employee.
            IndexModel([("empid", ASCENDING), ("_id", ASCENDING)], name=BY_EMPID),
            # No statement of this version: processes of the previous one list by address with it.
            IndexModel([("email", ASCENDING), ("_id", ASCENDING)], name=BY_EMAIL),
            # Lists and counts by address. Documents without `folded` are in it as null, so that the
            # same statement reads them too, and `MongoAddressFolding.fill` finds them.
            IndexModel([("folded", ASCENDING), ("_id", ASCENDING)], name=BY_FOLDED),
            # `MongoAddressFolding.clear_erased`: a process of the previous version empties `email`
            # but does not know `folded`. Empty unless such a process runs.
            IndexModel(
                [("email", ASCENDING), ("folded", ASCENDING)],
                name=BY_ERASED,
                partialFilterExpression={"email": "", "folded": {"$gt": ""}},
            ),
            # MongoDB's TTL monitor deletes jobs at the end of their retention.
            IndexModel([("delete_after", ASCENDING)], name="delete_after", expireAfterSeconds=0),
        ]


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


DOCUMENTS = (
    JobDocument,
    RecipientDocument,
    SuppressionDocument,
    RunDocument,
    UsageDocument,
    AuditDocument,
)

INDEXES = {
    document.Settings.name: tuple(getattr(document.Settings, "indexes", ()))
    for document in DOCUMENTS
    if getattr(document.Settings, "indexes", ())
}
"""The indexes of each collection that has any. Others may exist: a newer version creates them."""

CLIENT_INDEXES = frozenset(
    {BY_OWN_REQUEST_ID, BY_OWN_REQUEST_ID_AND_ID, BY_CLIENT, BY_CLIENT_AND_STATE}
)
"""The indexes of named clients' jobs, made only where access is controlled (ADR 0039).

They would be empty elsewhere, but MongoDB looks at each of them when a job changes.
"""


def list_indexes(*, has_clients: bool) -> Mapping[str, Sequence[IndexModel]]:
    """Return collection → the indexes that a service with or without access control needs."""
    return {
        collection: [
            each for each in models if has_clients or each.document["name"] not in CLIENT_INDEXES
        ]
        for collection, models in INDEXES.items()
    }
