"""The classification of MongoDB's errors: a refusal, with its cause and remedy, or an absence.

A refusal lasts until an operator acts. An absence (no reply, an election, a time limit) ends by
itself, so the caller only has to try again.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import structlog
from bson.errors import BSONError
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
    WriteError,
)

from gcsched.adapters.mongo.advice import summarize_mongo_error
from gcsched.errors import StoreRefused

REMEMBERED_SECONDS = 30.0
LOG_INTERVAL_SECONDS = 60.0
# From here on, the server names an error "Location" and its code: expressions and limits.
FIRST_UNNAMED_CODE = 10_000
DUPLICATE_KEY = 11000
ATLAS_ERROR = 8000  # MongoDB Atlas reports failed logins and exceeded quotas with it
OVER_QUOTA = re.compile(r"\b(space|storage|disk) (quota|limit)", re.IGNORECASE)
BAD_HINT = "hint provided does not correspond"

Sentences = dict["Problem", str]


class Problem(StrEnum):
    """The causes of MongoDB's refusals, as the log and ErrorInfo name them."""

    INDEX = "index"
    PERMISSION = "permission"
    DISK_FULL = "disk_full"
    DOCUMENT = "document"
    VALIDATION = "validation"
    READ_ONLY = "read_only"
    WRONG_KIND = "wrong_kind"
    OTHER = "other"


SENTENCES: Sentences = {
    Problem.INDEX: "an index that the service uses is missing, hidden or conflicts: see /readyz",
    Problem.PERMISSION: "the user of GCSCHED_MONGO_URI may not do this: give it readWrite on the"
    " database, or correct its password",
    Problem.DISK_FULL: "its disk is full: free space",
    Problem.DOCUMENT: "a document has a value that cannot be stored or read: the log names it",
    Problem.VALIDATION: "a validation rule of the collection forbids the document: remove the rule",
    Problem.READ_ONLY: "it accepts no writes: allow them again (setUserWriteBlockMode, storage)",
    Problem.WRONG_KIND: "it lacks what the service needs: use a replica set of MongoDB 5 or newer",
    Problem.OTHER: "for a reason whose code is in the log",
}

LOGIN_REFUSED = (
    "it does not accept the login: check user, password and authSource in GCSCHED_MONGO_URI"
)

PROBLEM_BY_CODE: dict[int, Problem] = {
    **dict.fromkeys((27, 85, 86, 291), Problem.INDEX),
    **dict.fromkeys((11, 13, 18, 31, 33, ATLAS_ERROR), Problem.PERMISSION),
    14031: Problem.DISK_FULL,
    **dict.fromkeys((2, 9, 14, 28, 52, 57, 388, 10334, 17419, 17420), Problem.DOCUMENT),
    121: Problem.VALIDATION,
    **dict.fromkeys((371, 10058), Problem.READ_ONLY),
    **dict.fromkeys((20, 59, 72, 115, 238, 303, 323, 40324), Problem.WRONG_KIND),
}

TRANSIENT_CODES = frozenset(
    # Elections, shutdowns, interruptions, time limits, locks, lost cursors: worth another try.
    (
        *(6, 7, 24, 43, 46, 50, 63, 64, 79, 89, 91, 100, 112, 133, 150, 175, 189, 202, 234, 237),
        *(246, 262, 264, 276, 290, 9001, 10107, 11600, 11601, 11602, 12586, 12587, 13388),
        *(13435, 13436),
    )
)
BLOCKS_ALL_WRITES = frozenset({Problem.DISK_FULL, Problem.READ_ONLY})
"""Problems with every write, not only with one collection or document."""
DOCUMENT_PROBLEMS = frozenset({Problem.DOCUMENT, Problem.VALIDATION})
VERSION_ERROR = re.compile("wire version|not supported by this|requires? MongoDB", re.IGNORECASE)
ENCODING_ERRORS = (BSONError, OverflowError, UnicodeError)
"""The driver raises these for a value that does not fit into a document, or for bytes that do not
fit their type. They are not subclasses of PyMongoError."""


def classify_error(error: Exception) -> Problem | None:
    """Return the cause of a refusal; None if MongoDB only did not confirm in time."""
    if isinstance(error, ENCODING_ERRORS):
        return Problem.DOCUMENT
    if isinstance(error, ConfigurationError):
        # A failed DNS lookup for mongodb+srv:// is a ConfigurationError too, but it is temporary.
        is_dns_error = type(error.__cause__).__module__.partition(".")[0] == "dns"
        if is_dns_error:
            return None
        return Problem.WRONG_KIND if VERSION_ERROR.search(str(error)) else Problem.OTHER
    if isinstance(error, BulkWriteError):
        return classify_bulk_error(error)
    if isinstance(error, ConnectionFailure | WriteConcernError) or not isinstance(
        error, OperationFailure
    ):
        return None
    return classify_code(error.code, str(error), is_write_error=isinstance(error, WriteError))


def classify_bulk_error(error: BulkWriteError) -> Problem | None:
    details = error.details or {}
    errors = details.get("writeErrors") or []
    if details.get("writeConcernErrors") or not errors:
        return None
    first = errors[0]
    return classify_code(first.get("code"), str(first.get("errmsg", "")), is_write_error=True)


def classify_code(code: int | None, text: str, *, is_write_error: bool) -> Problem | None:
    if code is None or code in TRANSIENT_CODES:
        return None
    if BAD_HINT in text:
        return Problem.INDEX
    if code == ATLAS_ERROR and OVER_QUOTA.search(text):
        return Problem.DISK_FULL
    known = PROBLEM_BY_CODE.get(code)
    if known is None and is_write_error and code >= FIRST_UNNAMED_CODE and code != DUPLICATE_KEY:
        return Problem.DOCUMENT
    if known is Problem.DOCUMENT and not is_write_error:
        return Problem.OTHER
    return known or Problem.OTHER


def is_document_error(error: Exception) -> bool:
    """Return whether one document or value is to blame, so that others may succeed."""
    return classify_error(error) in DOCUMENT_PROBLEMS


def is_document_error_code(error: Mapping[str, Any]) -> bool:
    """Return the same for one of the errors of a bulk write."""
    code, text = error.get("code"), str(error.get("errmsg", ""))
    return classify_code(code, text, is_write_error=True) in DOCUMENT_PROBLEMS


@dataclass(slots=True, kw_only=True, eq=False)
class Refusals:
    """The latest refusal, for /readyz and status; each kind is logged at most once a minute."""

    clock: Callable[[], float] = time.monotonic
    on_missing_index: Callable[[], None] = lambda: None
    _latest: StoreRefused | None = field(default=None, init=False)
    _latest_at: float = field(default=0.0, init=False)
    _logged_at: dict[tuple[str, str], float] = field(default_factory=dict, init=False)

    @property
    def problem(self) -> str | None:
        """Describe what MongoDB refused in the last 30 seconds; None if nothing."""
        is_recent = self.clock() - self._latest_at <= REMEMBERED_SECONDS
        return f"refuses: {self._latest.sentence}" if self._latest and is_recent else None

    def record(self, refused: StoreRefused, doing: str, cause: Exception) -> None:
        self._latest, self._latest_at = refused, self.clock()
        if refused.problem == Problem.INDEX:
            self.on_missing_index()
        kind = (refused.problem, doing)
        if (
            self._latest_at - self._logged_at.get(kind, -LOG_INTERVAL_SECONDS)
            >= LOG_INTERVAL_SECONDS
        ):
            self._logged_at[kind] = self._latest_at
            # Never the server's text: it repeats values such as addresses.
            structlog.get_logger().error(
                "store refused",
                problem=refused.problem,
                statement=doing,
                error=type(cause).__name__,
                **extract_code(cause),
                says=summarize_mongo_error(cause),
                do=refused.sentence,
            )


def extract_code(cause: Exception) -> dict[str, object]:
    """Return the code of *cause* and its name, if the server sent them; never a value."""
    if not isinstance(cause, PyMongoError):
        return {}
    details = getattr(cause, "details", None) or {}
    errors = details.get("writeErrors") or [details]
    code = errors[0].get("code", getattr(cause, "code", None))
    return {"code": code, "code_name": details.get("codeName") or errors[0].get("codeName")}
