"""Bulk writes in which one document that cannot be written does not stop the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, WriteError

from gcsched.adapters.mongo.connection import Collection
from gcsched.adapters.mongo.driver_errors import (
    ENCODING_ERRORS,
    is_document_error,
    is_document_error_code,
)
from gcsched.adapters.mongo.index_names import BY_ID

MAX_OFFENDERS = 8  # if more fail, the cause is the collection, not single documents

UpdatePipeline = list[dict[str, Any]]
Update = UpdatePipeline | dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkUpdate:
    """How many documents were matched, and the ids of those that cannot be updated.

    *refusal* is the last error if too many could not be updated; the rest was not tried then.
    """

    matched: int
    offenders: Sequence[Any] = ()
    refusal: WriteError | None = None

    def raise_refusal(self) -> "BulkUpdate":
        """Raise the refusal, if there is one; otherwise return this update."""
        if self.refusal is not None:
            raise self.refusal
        return self


async def update_each(
    jobs: Collection,
    ids: Sequence[Any],
    guard: Mapping[str, Any],
    change: Update,
    most: int = MAX_OFFENDERS,
) -> BulkUpdate:
    """Update those of *ids* that match *guard*, until more than *most* of them have failed.

    MongoDB ends a statement at the first document that fails. The statement is then repeated for
    each half, until every failing document is alone. That is safe only if *guard* no longer
    matches an updated document, or if *change* is idempotent. Raises the driver's error if no
    document is to blame.
    """
    matched, offenders, pending = 0, list[Any](), [list(ids)]
    while pending:
        batch = pending.pop()
        try:
            result = await jobs.update_many({"_id": {"$in": batch}, **guard}, change, hint=BY_ID)
        except WriteError as error:
            if not is_document_error(error):
                raise
            # The error does not name the document, so search for it by halves.
            half = len(batch) // 2
            if half:
                pending += [batch[half:], batch[:half]]
                continue
            offenders += batch
            if len(offenders) > most:
                return BulkUpdate(matched=matched, offenders=offenders, refusal=error)
        else:
            matched += result.matched_count
    return BulkUpdate(matched=matched, offenders=offenders)


async def write_each(jobs: Collection, writes: Sequence[UpdateOne]) -> tuple[int, list[int]]:
    """Execute *writes*; return how many matched, and the positions of those that failed.

    The driver refuses a whole batch if one value does not fit into a document, and does not name
    the write. The batch is then split in halves, so *writes* must be safe to repeat. Raises the
    driver's error if no document is to blame.
    """
    try:
        # Unordered, so that a failed write does not stop those after it.
        result = await jobs.bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        details: dict[str, Any] = dict(error.details or {})
        failed = details.get("writeErrors") or []
        if details.get("writeConcernErrors") or not all(map(is_document_error_code, failed)):
            raise
        return int(details["nMatched"]), [each["index"] for each in failed]
    except ENCODING_ERRORS:
        half = len(writes) // 2
        if not half:
            return 0, [0]
        matched, positions = await write_each(jobs, writes[:half])
        more, others = await write_each(jobs, writes[half:])
        return matched + more, [*positions, *(half + each for each in others)]
    return result.matched_count, []
