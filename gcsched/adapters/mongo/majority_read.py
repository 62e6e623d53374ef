"""Read what a majority has, from a node that was still the primary after the read."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

from gcsched.adapters.mongo.connection import Collection
from gcsched.adapters.mongo.documents import BY_ID

T = TypeVar("T")

READ_TIMEOUT_MS = 5_000
NOT_A_REPLICA_SET = 123
LINEARIZABLE = ReadConcern("linearizable")
NO_JOB = "none"


async def read_majority(read: Callable[[Collection], Awaitable[T]], collection: Collection) -> T:
    """Return what *read* finds in *collection*, once nothing of it can be rolled back any more.

    After the read, the server writes a mark to its log and waits until a majority has it: so an
    empty answer is no belief of a node that has lost its majority. *read* must set a time limit,
    because that wait has no other. It costs one more wait for the journal: 3 to 6 ms on three
    nodes, up to 100 ms on a set of one.
    """
    try:
        return await read(collection.with_options(read_concern=LINEARIZABLE))
    except OperationFailure as error:
        if error.code != NOT_A_REPLICA_SET:
            raise
    # A node that stands alone has no majority, but a journal: this write of nothing waits for it.
    found = await read(collection)
    await collection.update_one({"_id": NO_JOB}, {"$unset": {"nothing": ""}}, hint=BY_ID)
    return found
