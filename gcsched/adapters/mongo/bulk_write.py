"""Write many documents in one statement; one that cannot be written costs itself only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, WriteError

from gcsched.adapters.mongo.connection import Collection
from gcsched.adapters.mongo.documents import BY_ID
from gcsched.adapters.mongo.driver_errors import (
    ENCODING_ERRORS,
    is_document_error,
    is_document_error_code,
)

MAX_OFFENDERS = 8  # where more fail, it is the collection's fault and not theirs

UpdatePipeline = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkUpdate:
    """How many documents were found, and which cannot be updated.

    *refusal* is the error at which it was given up, as too many cannot: the rest is not tried.
    """

    matched: int
    offenders: Sequence[Any] = ()
    refusal: WriteError | None = None

    def raise_refusal(self) -> "BulkUpdate":
        """Raise the refusal, if there is one: for whoever has nothing to do with the offenders."""
        if self.refusal is not None:
            raise self.refusal
        return self


async def update_each(
    jobs: Collection,
    ids: Sequence[Any],
    guard: Mapping[str, Any],
    change: UpdatePipeline,
    most: int = MAX_OFFENDERS,
) -> BulkUpdate:
    """Update those of *ids* that *guard* finds, until more than *most* of them cannot be.

    A statement ends at the first document that it fails at. Then it is repeated for halves, until
    each that fails is alone; *guard* must make that harmless. Raises what the driver raises where
    no document is to blame.
    """
    found, offenders, rest = 0, list[Any](), [list(ids)]
    while rest:
        some = rest.pop()
        try:
            answer = await jobs.update_many({"_id": {"$in": some}, **guard}, change, hint=BY_ID)
        except WriteError as error:
            if not is_document_error(error):
                raise
            half = len(some) // 2
            if half:
                rest += [some[half:], some[:half]]
                continue
            offenders += some
            if len(offenders) > most:
                return BulkUpdate(matched=found, offenders=offenders, refusal=error)
        else:
            found += answer.matched_count
    return BulkUpdate(matched=found, offenders=offenders)


async def write_each(jobs: Collection, writes: Sequence[UpdateOne]) -> tuple[int, list[int]]:
    """Write each; return how many found their document, and the places of those that cannot be.

    What does not fit into a document is found by halves, so *writes* must be harmless when they
    are repeated. Raises what the driver raises where no document is to blame.
    """
    try:
        answer = await jobs.bulk_write(writes, ordered=False)
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
        found, places = await write_each(jobs, writes[:half])
        more, others = await write_each(jobs, writes[half:])
        return found + more, [*places, *(half + each for each in others)]
    return answer.matched_count, []
