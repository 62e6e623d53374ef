"""Queries for addresses in any spelling, by the field `folded`.

Documents that were stored before there was such a field, or by a process of the previous version,
lack it until `MongoAddressFolding` fills it. The index holds them together as `folded: null`, and
every query reads them too. So the result does not depend on how far the filling has come.
"""

import string
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pymongo.errors import OperationFailure

from gcsched.adapters.mongo.connection import Collection, Document, Mongo
from gcsched.adapters.mongo.driver_errors import Problem, classify_error
from gcsched.adapters.mongo.index_names import BY_FOLDED, BY_ID
from gcsched.domain.address_folding import fold_address

Query = dict[str, Any]
T = TypeVar("T")

FOLDED = "folded"
HAS_FOLDED = {"$eq": [{"$type": f"${FOLDED}"}, "string"]}
TO_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def filter_any_spelling(address: str, field: str, *, include_non_ascii: bool = False) -> Query:
    """Return the filter for *address* in any spelling; *field* holds it as it was written.

    In documents without `folded`, the server compares ASCII letters without case and other letters
    as they are written. With *include_non_ascii* the filter matches every such document with other
    letters, and the caller must compare.
    """
    fold = fold_address(address)
    lowered = [fold, address.translate(TO_LOWER)]
    # `$toLower` fails at a field that is not a text, and with it the statement for all others.
    text = {"$cond": [{"$eq": [{"$type": f"${field}"}, "string"]}, f"${field}", ""]}
    accepted: list[Query] = [HAS_FOLDED, {"$in": [{"$toLower": text}, {"$literal": lowered}]}]
    if include_non_ascii:
        # Not a regular expression: that fails at octets that are not valid UTF-8.
        accepted.append({"$ne": [{"$strLenBytes": text}, {"$strLenCP": text}]})
    return {FOLDED: {"$in": [None, fold]}, "$expr": {"$or": accepted}}


def filter_folded(address: str) -> Query:
    """Return the filter for *address* in any spelling if all documents have `folded`."""
    return {FOLDED: fold_address(address)}


async def has_all_folded(collection: Collection) -> bool:
    """Return whether all documents have `folded`, by one query on its index."""

    async def find_unfolded(index: str) -> Document | None:
        if index != BY_FOLDED:
            return {}  # without the index this query costs as much as it could save
        query = {FOLDED: None, "_id": {"$gte": ""}}
        found: Document | None = await collection.find_one(query, {"_id": 1}, hint=index)
        return found

    return await read_by_index(find_unfolded) is None


async def read_if_indexed(mongo: Mongo, read: Awaitable[T]) -> T | None:
    """Return the result of *read*; None while the index that it names cannot be used.

    The index is missing, hidden or being built. This is not recorded as a refusal: `IndexKeeper`
    (ADR 0019) is woken instead, which logs the missing index and creates it.
    """
    try:
        return await read
    except OperationFailure as error:
        if classify_error(error) is not Problem.INDEX:
            raise
    mongo.refusals.on_missing_index()
    return None


async def read_by_index(read: Callable[[str], Awaitable[T]], index: str = BY_FOLDED) -> T:
    """Return the result of *read* by *index*, or slowly by id while `folded` has no index yet.

    So calls are answered while the index is built after an upgrade. For calls only, and *read* must
    set a time limit: a claim or a loop must never read a whole collection.
    """
    try:
        return await read(index)
    except OperationFailure as error:
        if index != BY_FOLDED or classify_error(error) is not Problem.INDEX:
            raise
    return await read(BY_ID)
