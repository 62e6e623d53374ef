"""The collections: their fields and indexes, as Beanie documents. Private to this package."""

from datetime import datetime
from typing import Any, ClassVar

from beanie import Document
from pydantic import Field
from pymongo import ASCENDING, IndexModel

# The planner keeps a plan that won among few documents, so statements name their index.
BY_ID = "_id_"
BY_CLAIM = "claim"
BY_DEDUP_KEY = "dedup_key"
BY_LEASE = "lease"
BY_REQUEST_ID = "request_id"
BY_STATE_AND_DUE = "state_due_id"
BY_PRIORITY = "priority_state_due"
BY_REQUEST_ID_AND_ID = "request_id_id"
BY_EMPID = "empid_id"
BY_EMAIL = "email_id"
BY_FOLDED = "folded_id"
BY_ERASED = "email_folded"

# Those above took their places: an index cannot change its keys. `state_due` did too, but processes
# of the version before name it in every claim, so it is left to whoever knows that none is running.
RETIRED_INDEXES = ("empid_created", "email_created")


class NamedDocument(Document):
    """A document whose name means something: a job id, an employee, an address, a day."""

    id: str  # type: ignore[assignment]  # Beanie's own default is an ObjectId


class JobDocument(NamedDocument):
    state: str
    empid: str
    email: str
    folded: str | None = None
    message: str
    name: str
    created: datetime
    due_at: datetime
    due: datetime
    not_after: datetime | None = None
    since: datetime
    message_id: str
    dedup_key: str | None = None
    released_key: str | None = None
    template: str = "doc"
    variables: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    reply_to: str | None = None
    request_id: str | None = None
    fingerprint: str | None = None
    dedup_until: datetime | None = None
    not_after_asked: bool | None = None
    priority: str | None = None
    attempt: int = 0
    takebacks: int = 0
    version: int = 0
    claim: str | None = None
    lease: datetime | None = None
    begun: datetime | None = None
    date: datetime | None = None
    reason: str = ""
    attempts: list[dict[str, Any]] = Field(default_factory=list)
    delete_after: datetime | None = None

    class Settings:
        name = "jobs"
        keep_nulls = False
        indexes: ClassVar = [
            IndexModel(
                [("dedup_key", ASCENDING)],
                name=BY_DEDUP_KEY,
                unique=True,
                partialFilterExpression={"dedup_key": {"$exists": True}},
            ),
            # Who lets the key go, lets the request id go with it.
            IndexModel(
                [("request_id", ASCENDING)],
                name=BY_REQUEST_ID,
                unique=True,
                partialFilterExpression={
                    "request_id": {"$exists": True},
                    "dedup_key": {"$exists": True},
                },
            ),
            # For lists: those that let the id go, too. That one above holds one job of each id.
            IndexModel(
                [("request_id", ASCENDING), ("_id", ASCENDING)],
                name=BY_REQUEST_ID_AND_ID,
                partialFilterExpression={"request_id": {"$exists": True}},
            ),
            # The id comes last in all lists, so that a page can begin after any job.
            IndexModel(
                [("state", ASCENDING), ("due", ASCENDING), ("_id", ASCENDING)],
                name=BY_STATE_AND_DUE,
            ),
            # Beanie keeps one index for each list of fields, so this one begins otherwise.
            IndexModel(
                [("priority", ASCENDING), ("state", ASCENDING), ("due", ASCENDING)],
                name=BY_PRIORITY,
                partialFilterExpression={"priority": "URGENT"},
            ),
            IndexModel(
                [("claim", ASCENDING)],
                name=BY_CLAIM,
                partialFilterExpression={"claim": {"$exists": True}},
            ),
            IndexModel(
                [("lease", ASCENDING)],
                name=BY_LEASE,
                partialFilterExpression={"lease": {"$exists": True}},
            ),
            IndexModel([("empid", ASCENDING), ("_id", ASCENDING)], name=BY_EMPID),
            # Processes of the version before list by it.
            IndexModel([("email", ASCENDING), ("_id", ASCENDING)], name=BY_EMAIL),
            # What has no `folded` yet stands together, as null.
            IndexModel([("folded", ASCENDING), ("_id", ASCENDING)], name=BY_FOLDED),
            # What a process of the version before erased but for `folded`; else it is empty.
            IndexModel(
                [("email", ASCENDING), ("folded", ASCENDING)],
                name=BY_ERASED,
                partialFilterExpression={"email": "", "folded": {"$gt": ""}},
            ),
            IndexModel([("delete_after", ASCENDING)], name="delete_after", expireAfterSeconds=0),
        ]


class RecipientDocument(NamedDocument):
    """The user details that callers gave: one document per employee."""

    name: str
    email: str
    folded: str | None = None
    first_seen: datetime
    last_seen: datetime
    accepted: int = 0

    class Settings:
        name = "recipients"
        indexes: ClassVar = [
            IndexModel([("email", ASCENDING)], name="email"),
            IndexModel([("folded", ASCENDING), ("_id", ASCENDING)], name=BY_FOLDED),
        ]


class SuppressionDocument(NamedDocument):
    """An address that gets no mail: one document for each spelling that was blocked."""

    folded: str | None = None
    reason: str
    job_id: str
    since: datetime
    until: datetime

    class Settings:
        name = "suppressions"
        indexes: ClassVar = [
            IndexModel([("until", ASCENDING)], name="until", expireAfterSeconds=0),
            IndexModel([("folded", ASCENDING), ("_id", ASCENDING)], name=BY_FOLDED),
        ]


class RunDocument(NamedDocument):
    """A daily run (``daily:<date>``), the latest sweep (``sweep``), or the ``pause`` of sending."""

    started: datetime
    finished: datetime | None = None
    moved: int = 0
    by: str | None = None
    reason: str | None = None

    class Settings:
        name = "runs"


DOCUMENTS = (JobDocument, RecipientDocument, SuppressionDocument, RunDocument)

INDEXES = {
    document.Settings.name: tuple(getattr(document.Settings, "indexes", ()))
    for document in DOCUMENTS
    if getattr(document.Settings, "indexes", ())
}
"""The indexes of each collection that has some. Others that exist may be of a newer version."""
