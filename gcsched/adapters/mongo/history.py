"""The history: one document for each minute, ten minutes and hour, for all processes together.

Each process adds its share in one guarded upsert. The document has the number of the latest share
of each process, so a share that was added before, such as one without a confirmation, is not added
again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pymongo
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from gcsched.adapters.mongo.codec import read_count, read_time
from gcsched.adapters.mongo.connection import Document, Mongo, store_errors
from gcsched.adapters.mongo.driver_errors import DUPLICATE_KEY, is_document_error_code
from gcsched.adapters.mongo.index_names import BY_ID
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.history import MAX_BUCKET, HistoryFigures, HistoryShare, HistoryStep

ADD_WITHIN_SECONDS = 5.0
"""As other writes: one that fails earlier would count as MongoDB's failure to confirm any."""
READ_WITHIN_MS = 2_000
TRIES = 2
MAX_KEYS = 40
"""As many kinds or outcomes of a document are shown; there are fewer unless it is damaged."""
MAX_KEY_LENGTH = 40
MAX_LATE = timedelta(days=3650)


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoHistory:
    """The port `HistoryStore` on MongoDB."""

    mongo: Mongo

    async def add(self, share: HistoryShare) -> None:
        """Add *share* to the documents of its minute, its ten minutes and its hour, once.

        Another process may insert a document in the same moment. It is a duplicate then, as it is
        if the share was added before; the second try finds out which.
        """
        writes = [build_write(step, share) for step in HistoryStep]
        with write_errors("adding to the history"), pymongo.timeout(ADD_WITHIN_SECONDS):
            for _ in range(TRIES):
                try:
                    await self.mongo.history.bulk_write(writes, ordered=False)
                except BulkWriteError as error:
                    writes = [writes[place] for place in find_duplicates(error)]
                    if not writes:
                        return
                else:
                    return

    async def read(
        self, step: HistoryStep, *, from_time: datetime, before_time: datetime
    ) -> Sequence[HistoryFigures]:
        """Return the figures of the intervals in that time, the oldest first."""
        bounds = {"$gte": make_id(step, from_time), "$lt": make_id(step, before_time)}
        with store_errors("reading the history"):
            cursor = self.mongo.history.find(
                {"_id": bounds},
                {"shares": 0},
                sort=[("_id", 1)],
                hint=BY_ID,
                max_time_ms=READ_WITHIN_MS,
            )
            return [decode(each) for each in await cursor.to_list(None)]


def build_write(step: HistoryStep, share: HistoryShare) -> UpdateOne:
    figures, place = share.figures, f"shares.{share.process}"
    start = step.find_start(figures.start)
    counts = {
        **{f"attempts.{kind}": count for kind, count in figures.attempts.items()},
        **{f"admissions.{outcome}": count for outcome, count in figures.admissions.items()},
        **{f"lateness.{bucket}": count for bucket, count in figures.lateness.items()},
    }
    change: Document = {
        "$set": {place: share.number},
        "$setOnInsert": {"start": start, "delete_after": start + step.length + step.retention},
    }
    if counts:
        change["$inc"] = counts
    if figures.oldest_due is not None:
        change["$max"] = {"oldest_due": figures.oldest_due.total_seconds()}
    # The shares of a process are added in their order, so one number says which were.
    guard = {"_id": make_id(step, start), place: {"$not": {"$gte": share.number}}}
    return UpdateOne(guard, change, upsert=True, hint=BY_ID)


def find_duplicates(error: BulkWriteError) -> list[int]:
    """Return the places of the writes that found a document of their id; raise other errors.

    A document that is damaged is left alone: nothing can be added to it, now or later.
    """
    details: dict[str, Any] = dict(error.details or {})
    failed = [each for each in details.get("writeErrors") or [] if not is_document_error_code(each)]
    if details.get("writeConcernErrors") or any(each["code"] != DUPLICATE_KEY for each in failed):
        raise error
    return [each["index"] for each in failed]


def make_id(step: HistoryStep, start: datetime) -> str:
    """Return the id of a document, which sorts by time among those of its step."""
    return f"{step.value}:{start:%Y-%m-%dT%H:%M}"


def decode(document: Mapping[str, Any]) -> HistoryFigures:
    """Return the figures, without what is damaged or of a newer version."""
    late = document.get("oldest_due")
    is_late = isinstance(late, int | float) and 0 <= late <= MAX_LATE.total_seconds()
    return HistoryFigures(
        start=read_time(document, "start"),
        attempts=read_counts(document.get("attempts")),
        admissions=read_counts(document.get("admissions")),
        lateness={
            int(bucket): count
            for bucket, count in read_all_counts(document.get("lateness")).items()
            if bucket.isdecimal() and bucket.isascii() and int(bucket) <= MAX_BUCKET
        },
        oldest_due=timedelta(seconds=late) if is_late and late is not None else None,
    )


def read_counts(value: object) -> dict[str, int]:
    known = read_all_counts(value)
    return {name[:MAX_KEY_LENGTH]: known[name] for name in sorted(known)[:MAX_KEYS]}


def read_all_counts(value: object) -> dict[str, int]:
    """Return the counts above 0 in an embedded document."""
    if not isinstance(value, dict):
        return {}
    return {name: count for name in value if (count := read_count(value, name))}
