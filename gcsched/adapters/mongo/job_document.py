"""The collection `jobs`, with the reason for every field and index. Private to this package.

`other_documents` has the other collections, and what is true for all of them.
"""

from datetime import datetime
from typing import Any, ClassVar

from beanie import Document
from pydantic import Field
from pymongo import ASCENDING, IndexModel

from gcsched.adapters.mongo.index_names import (
    BY_CLAIM,
    BY_CLIENT,
    BY_CLIENT_AND_STATE,
    BY_DEDUP_KEY,
    BY_EMAIL,
    BY_EMPID,
    BY_ERASED,
    BY_FOLDED,
    BY_MEETING,
    BY_OWN_REQUEST_ID,
    BY_OWN_REQUEST_ID_AND_ID,
    BY_PRIORITY,
    BY_REQUEST_ID,
    BY_REQUEST_ID_AND_ID,
    BY_STATE_AND_DUE,
)


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
    # The name of its template: in an array beside a `sender`, absent in an invitation.
    template: str | list[str] | None = None
    # The revision of the meeting that the mail shows, and the name of its template. Processes of an
    # earlier version cannot read a job without `template`: they quarantine it instead of sending a
    # mail without the meeting (ADR 0049).
    invitation: dict[str, Any] | None = None
    invitation_template: str | None = None
    # What else a mail about a meeting needs that is not a plain invitation, with its template: the
    # purpose, the role, the mail that it refers to, and what the recipient knew before.
    meeting_mail: dict[str, Any] | None = None
    meeting_template: str | None = None
    variables: dict[str, str] | None = None  # values for the template
    labels: dict[str, str] | None = None  # for the caller, returned as they were given
    reply_to: str | None = None  # the Reply-To header
    sender: str | None = None  # the key of its sender; absent for the default one (ADR 0045)
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
            # The jobs of a meeting, which prove what each attendee knows, and lists by meeting.
            # Partial, so that it costs mails without a meeting nothing.
            IndexModel(
                [("invitation.meeting", ASCENDING), ("_id", ASCENDING)],
                name=BY_MEETING,
                partialFilterExpression={"invitation.meeting": {"$exists": True}},
            ),
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
