"""Reads by the indexes of named clients' jobs, which exist only where access is controlled."""

from collections.abc import Awaitable
from typing import TypeVar

from pymongo.errors import OperationFailure

from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.driver_errors import Problem, classify_error
from gcsched.adapters.mongo.index_names import CLIENT_INDEXES

T = TypeVar("T")


async def read_if_made(mongo: Mongo, index: str, read: Awaitable[T], *, otherwise: T) -> T:
    """Return the result of *read* by *index*; *otherwise* if that is one this service lacks.

    Without access control no job has a client, so nothing is missed. But access may have been
    controlled before: then the indexes are still there.
    """
    try:
        return await read
    except OperationFailure as error:
        is_lacking = index in CLIENT_INDEXES and not mongo.has_clients
        if not is_lacking or classify_error(error) is not Problem.INDEX:
            raise
    return otherwise
