"""The pause of sending, stored so that every replica sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pymongo import ReturnDocument

from gcsched.adapters.mongo.codec import read_text, read_time
from gcsched.adapters.mongo.connection import Mongo, store_errors
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.pause import Pause

PAUSE = "pause"


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoPauses:
    """The port `PauseStore` on MongoDB."""

    mongo: Mongo

    async def get(self) -> Pause | None:
        with store_errors("reading the pause"):
            return decode_pause(await self.mongo.runs.find_one({"_id": PAUSE}))

    async def save(self, pause: Pause) -> Pause:
        """Store *pause*; if there is one already, change its texts but not its start."""
        texts = {"by": pause.by, "reason": pause.reason}
        with write_errors("storing the pause"):
            stored = await self.mongo.runs.find_one_and_update(
                {"_id": PAUSE},
                {"$set": texts, "$setOnInsert": {"started": pause.start_time}},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        return decode_pause(stored) or pause

    async def delete(self) -> Pause | None:
        """Delete the pause; return it, if there was one."""
        with write_errors("ending the pause"):
            return decode_pause(await self.mongo.runs.find_one_and_delete({"_id": PAUSE}))


def decode_pause(document: Mapping[str, Any] | None) -> Pause | None:
    if document is None:
        return None
    # A pause that an operator stored by hand counts, even if fields are missing.
    by, reason = read_text(document, "by"), read_text(document, "reason")
    return Pause(by=by, reason=reason, start_time=read_time(document, "started"))
