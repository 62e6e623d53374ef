"""A store whose process dies at one of its writes: before it, or before its answer arrives."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, cast

from gcsched.adapters.mongo.connection import Collection, Mongo

WRITES = frozenset(
    {"bulk_write", "insert_one", "insert_many", "update_one", "update_many", "delete_one"}
)


class Killed(Exception):
    """The process dies here: nothing in it handles this."""


@dataclass
class Kill:
    """Dies at the write with number *at*, counted from 0; never if that is None."""

    at: int | None
    is_written: bool
    count: int = 0


@dataclass(frozen=True)
class MortalCollection:
    """A collection whose writes count, and one of which is the last."""

    collection: Collection
    kill: Kill = field(repr=False)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.collection, name)
        if name not in WRITES:
            return found

        async def write(*args: Any, **options: Any) -> Any:
            number, self.kill.count = self.kill.count, self.kill.count + 1
            if number == self.kill.at and not self.kill.is_written:
                raise Killed
            result = await found(*args, **options)
            if number == self.kill.at:
                raise Killed
            return result

        return write


def make_mortal(mongo: Mongo, kill: Kill) -> Mongo:
    """Return *mongo* for a process that dies by *kill*."""

    def wrap(collection: Collection) -> Collection:
        return cast("Collection", MortalCollection(collection, kill))

    return dataclasses.replace(
        mongo,
        jobs=wrap(mongo.jobs),
        meetings=wrap(mongo.meetings),
        meeting_revisions=wrap(mongo.meeting_revisions),
    )
