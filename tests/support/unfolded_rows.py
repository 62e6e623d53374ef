"""Documents as stored by versions that did not fold addresses."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database

from gcsched.adapters.mongo.codec import encode
from gcsched.domain.ids import new_id
from tests.support.builders import NOW, a_job
from tests.support.clocks import DAY
from tests.support.rows import Row

FAR_FUTURE = datetime(2100, 1, 1, tzinfo=UTC)


def an_unfolded_suppression(address: str, **fields: Any) -> Row:
    """Make a suppression as an older version stores it."""
    ordinary = {
        "reason": "requested by the recipient",
        "job_id": "",
        "since": NOW,
        "until": FAR_FUTURE,
    }
    return {"_id": address, **ordinary, **fields}


@contextmanager
def remove_index(raw: Database[Row], collection: str, *, is_hidden: bool) -> Iterator[None]:
    """Hide or drop the index on folded addresses, and restore it for the next test."""
    if not is_hidden:
        raw[collection].drop_index("folded_id")
        yield
        raw[collection].create_index([("folded", 1), ("_id", 1)], name="folded_id")
        return
    raw.command("collMod", collection, index={"name": "folded_id", "hidden": True})
    try:
        yield
    finally:
        raw.command("collMod", collection, index={"name": "folded_id", "hidden": False})


def an_unfolded_job(number: int, email: object, **fields: Any) -> Row:
    """Make a job as an older version stores it."""
    job = a_job(id=new_id(NOW + number * DAY), dedup_key=f"key-{number}")
    document = encode(job) | {"email": email, **fields}
    return {name: value for name, value in document.items() if name != "folded"}


def a_non_utf8_row(name: str) -> RawBSONDocument:
    """Make a document in which the field *name* holds invalid UTF-8."""
    octets = bson.encode({"_id": "invalid", name: "XXXX@example.org", "until": FAR_FUTURE})
    return RawBSONDocument(octets.replace(b"XXXX", b"X\xff\xfeX"))
