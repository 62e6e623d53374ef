"""Update many documents in one statement; one that cannot be updated costs itself only."""

from collections.abc import Sequence
from typing import Any

from pymongo.errors import WriteError

from gcsched.adapters.mongo.connection import Collection
from gcsched.adapters.mongo.documents import BY_ID
from gcsched.adapters.mongo.refusals import is_of_document

MOST_OFFENDERS = 8  # where more fail, it is the collection's fault and not theirs

Change = list[dict[str, Any]]


async def update_each(
    jobs: Collection, ids: Sequence[Any], guard: dict[str, Any], change: Change
) -> tuple[int, list[Any]]:
    """Update those of *ids* that *guard* finds; return how many it found, and which cannot be.

    A statement ends at the first document that it fails at. Then it is repeated for halves, until
    each that fails is alone; *guard* must make that harmless. Raises what the driver raises.
    """
    try:
        answer = await jobs.update_many({"_id": {"$in": list(ids)}, **guard}, change, hint=BY_ID)
    except WriteError as error:
        if not is_of_document(error):
            raise
        if len(ids) == 1:
            return 0, list(ids)
        offenders: list[Any] = []
        found = 0
        for half in (ids[: len(ids) // 2], ids[len(ids) // 2 :]):
            count, more = await update_each(jobs, half, guard, change)
            found += count
            offenders += more
            if len(offenders) > MOST_OFFENDERS:
                raise
        return found, offenders
    return answer.matched_count, []
