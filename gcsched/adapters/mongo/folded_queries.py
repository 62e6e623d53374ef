"""Find addresses in any spelling, by the field `folded`; and what has no such field yet.

Documents that were stored before there was one, or by a process of the version before, lack it
until `MongoAddressFolding` comes by. They stand at one place of the index (`folded: null`), so that each
statement looks at them too: what is found does not depend on how far the filling is.
"""

import string
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pymongo.errors import OperationFailure

from gcsched.adapters.mongo.connection import Collection, Document, Mongo
from gcsched.adapters.mongo.documents import BY_FOLDED, BY_ID
from gcsched.adapters.mongo.driver_errors import Problem, classify_error
from gcsched.domain.address_folding import fold_address

Query = dict[str, Any]
T = TypeVar("T")

FOLDED = "folded"
HAS_FOLDED = {"$eq": [{"$type": f"${FOLDED}"}, "string"]}
TO_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def filter_any_spelling(address: str, field: str, *, include_non_ascii: bool = False) -> Query:
    """Make the filter for *address* in any spelling; *field* is where it is as written.

    Of what has no `folded` yet, the server compares the letters of ASCII without case, and others
    as they are written. With *include_non_ascii* it finds all that have others: the caller must compare.
    """
    fold = fold_address(address)
    lowered = [fold, address.translate(TO_LOWER)]
    # A document whose field is no text must not fail the statement for all others.
    text = {"$cond": [{"$eq": [{"$type": f"${field}"}, "string"]}, f"${field}", ""]}
    accepted: list[Query] = [HAS_FOLDED, {"$in": [{"$toLower": text}, {"$literal": lowered}]}]
    if include_non_ascii:
        # No regular expression: it fails at octets that are no UTF-8.
        accepted.append({"$ne": [{"$strLenBytes": text}, {"$strLenCP": text}]})
    return {FOLDED: {"$in": [None, fold]}, "$expr": {"$or": accepted}}


def filter_folded(address: str) -> Query:
    """Make the filter for *address* in any spelling where all documents have `folded`."""
    return {FOLDED: fold_address(address)}


async def has_all_folded(collection: Collection) -> bool:
    """Tell whether all documents have `folded`, by one look at its index."""

    async def find_unfolded(index: str) -> Document | None:
        if index != BY_FOLDED:
            return {}  # to look without the index would cost as much as what is to be saved
        query = {FOLDED: None, "_id": {"$gte": ""}}
        found: Document | None = await collection.find_one(query, {"_id": 1}, hint=index)
        return found

    return await read_by_index(find_unfolded) is None


async def read_if_indexed(mongo: Mongo, read: Awaitable[T]) -> T | None:
    """Return what *read* finds; None while the index that it names is not there.

    The index is missing, hidden or being built. That is no refusal to be noted: the care for
    indexes (ADR 0019) looks at once, tells of it and makes it.
    """
    try:
        return await read
    except OperationFailure as error:
        if classify_error(error) is not Problem.INDEX:
            raise
    mongo.refusals.on_missing_index()
    return None


async def read_by_index(read: Callable[[str], Awaitable[T]], index: str = BY_FOLDED) -> T:
    """Return what *read* finds by *index*; slowly by id while `folded` has no index yet.

    A process that starts after an upgrade goes on meanwhile, and so do the others. For callers
    only, and *read* sets a time limit: a claim or a loop must not read all there is.
    """
    try:
        return await read(index)
    except OperationFailure as error:
        if index != BY_FOLDED or classify_error(error) is not Problem.INDEX:
            raise
    return await read(BY_ID)
