"""Documents in which one field has a value the service never writes: every field, many types."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import Decimal128, ObjectId, Timestamp
from bson import encode as encode_bson
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import PyMongoError

from gcsched.adapters.mongo import suppressions
from gcsched.adapters.mongo.codec import encode
from gcsched.domain.job import State
from tests.support.builders import a_claimed_job, a_job, a_suppression, an_attempt
from tests.support.rows import Row

MISSING = object()
"""The value of a missing field."""

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
HUGE = 70_000

VALUES: Mapping[str, Any] = {
    "missing": MISSING,
    "null": None,
    "text": "x",
    "empty text": "",
    "huge text": "x" * HUGE,
    "number": 7,
    "fraction": 2.5,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "negative": -1,
    "largest": 2**63 - 1,
    "decimal": Decimal128("1"),
    "true": True,
    "object": {"a": 1},
    "operator": {"$gt": 1},
    "array": [],
    "array of text": ["x", "SCHEDULED", "SENDING"],
    "array of dates": [LONG_AGO, datetime(2100, 1, 1, tzinfo=UTC)],
    "array of objects": [{"a": 1}],
    "date": LONG_AGO,
    "far date": DatetimeMS(8_640_000_000_000_000),
    "early date": DatetimeMS(-8_640_000_000_000_000),
    "binary": b"\x00\xff",
    "id": ObjectId("0123456789abcdef01234567"),
    "pattern": re.compile("x"),
    "timestamp": Timestamp(1, 1),
}

JOB_FIELDS = (
    *("_id", "state", "empid", "email", "message", "name", "created", "due_at", "due", "not_after"),
    *("since", "message_id", "dedup_key", "released_key", "template", "variables", "labels"),
    *("reply_to", "request_id", "fingerprint", "dedup_until", "not_after_asked", "priority"),
    *("attempt", "takebacks", "version", "claim", "lease", "begun", "reason", "attempts"),
    *("delete_after", "aside", "attempts.0"),
    *(f"attempts.0.{name}" for name in ("begun", "ended", "kind", "relay", "code", "text")),
    *("attempts.0.enhanced", "variables.a", "labels.a"),
)
STATES = ("QUEUED", "SCHEDULED", "RETRYING", "orphan", "begun orphan", "SENT", "UNREADABLE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Poison:
    """A document with one wrong field."""

    collection: str
    field: str
    value: str
    row: Row

    @property
    def name(self) -> str:
        return f"{self.collection}.{self.field}: {self.value}"


def poison_jobs(
    fields: Sequence[str] = JOB_FIELDS,
    states: Sequence[str] = STATES,
    values: Mapping[str, Any] = VALUES,
) -> Iterator[Poison]:
    for state, field, (kind, value) in itertools.product(states, fields, values.items()):
        row = a_row(state, f"{state} {field} {kind}")
        corrupt(row, field, value)
        yield Poison(collection="jobs", field=field, value=f"{kind} ({state})", row=row)


def a_row(state: str, name: str) -> Row:
    """Make the document of a job in *state* that has been due for years."""
    common: Row = {
        "id": f"poison {name}",
        "dedup_key": f"poison {name}",
        "empid": "POISON",
        "due_time": LONG_AGO,
        "schedule_time": LONG_AGO,
        "create_time": LONG_AGO,
        "state_time": LONG_AGO,
        "email": "poison@example.org",
        "expire_time": datetime.now(UTC) + timedelta(days=1),
        "attempts": (an_attempt(),),
    }
    if "orphan" in state or state == "UNREADABLE":
        row = encode(a_claimed_job(**common)) | {"lease": LONG_AGO}
        if state != "orphan":
            row["begun"] = LONG_AGO
        return row | ({"state": state, "aside": "SENDING"} if state == "UNREADABLE" else {})
    return encode(a_job(state=State(state), **common))


def corrupt(row: Row, field: str, value: object) -> None:
    container: Any = row
    *path, last = field.split(".")
    for step in path:
        container = container[int(step)] if step.isdigit() else container.setdefault(step, {})
    key: Any = int(last) if last.isdigit() else last
    if value is not MISSING:
        container[key] = value
    elif isinstance(container, dict):
        container.pop(key, None)
    else:
        container.pop()


def poison_other_collections(values: Mapping[str, Any] = VALUES) -> Iterator[Poison]:
    ahead = datetime.now(UTC) + timedelta(days=9)
    recipient: Row = {"name": "Ada", "email": "ada@example.org", "accepted": 1, "saves": []}
    recipient |= {"first_seen": LONG_AGO, "last_seen": LONG_AGO}
    suppression = suppressions.encode(a_suppression(create_time=LONG_AGO, expire_time=ahead))
    kinds: dict[str, Row] = {"recipients": recipient, "suppressions": suppression}
    for collection, ordinary in kinds.items():
        for field, (kind, value) in itertools.product(ordinary, values.items()):
            row = ordinary | {"_id": f"poison {field} {kind}@example.org"}
            corrupt(row, field, value)
            yield Poison(collection=collection, field=field, value=kind, row=row)


def poison_runs(day: str, values: Mapping[str, Any] = VALUES) -> Iterator[Poison]:
    """Yield damaged runs. There is one document of each, so they come one after the other."""
    runs: dict[str, Row] = {
        "sweep": {"started": LONG_AGO},
        f"daily:{day}": {"started": LONG_AGO, "finished": LONG_AGO, "moved": 1},
    }
    for name, ordinary in runs.items():
        for field, (kind, value) in itertools.product(ordinary, values.items()):
            row = ordinary | {"_id": name}
            corrupt(row, field, value)
            yield Poison(collection="runs", field=f"{name}.{field}", value=kind, row=row)


def a_non_utf8_job() -> RawBSONDocument:
    """Make the BSON of a document with invalid UTF-8, as a program in C may store it."""
    good = a_row("SCHEDULED", "octets")
    octets = encode_bson(good | {"message": "ABCDEFGH"})
    return RawBSONDocument(octets.replace(b"ABCDEFGH", b"AB\xff\xfeEFGH"))


def store_poisons(database: Database[Row], poisons: Sequence[Poison]) -> int:
    """Store what MongoDB accepts; return how many. A duplicate key is not what is tested."""
    stored = 0
    by_collection: dict[str, list[Row]] = {}
    for poison in poisons:
        by_collection.setdefault(poison.collection, []).append(poison.row)
    for collection, rows in by_collection.items():
        try:
            answer = database[collection].insert_many(rows, ordered=False)
            stored += len(answer.inserted_ids)
        except PyMongoError as error:
            stored += (getattr(error, "details", None) or {}).get("nInserted", 0)
    return stored


@contextmanager
def forbid_changes(collection: Collection[Row], row_id: str) -> Iterator[None]:
    """Make MongoDB refuse every change of one document, as if it had the maximum size."""
    rule = {"_id": {"$ne": row_id}}
    collection.database.command("collMod", collection.name, validator=rule)
    try:
        yield
    finally:
        collection.database.command("collMod", collection.name, validator={})
