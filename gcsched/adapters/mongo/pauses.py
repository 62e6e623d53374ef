"""The pause of sending, noted where every replica sees it."""

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
    mongo: Mongo

    async def get(self) -> Pause | None:
        with store_errors("looking for a pause"):
            return decode_pause(await self.mongo.runs.find_one({"_id": PAUSE}))

    async def save(self, pause: Pause) -> Pause:
        """Note *pause*; where there is one already, its words change and not its begin."""
        words = {"by": pause.by, "reason": pause.reason}
        with write_errors("noting a pause"):
            noted = await self.mongo.runs.find_one_and_update(
                {"_id": PAUSE},
                {"$set": words, "$setOnInsert": {"started": pause.start_time}},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        return decode_pause(noted) or pause

    async def delete(self) -> Pause | None:
        """Forget the pause; give it, if there was one."""
        with write_errors("ending a pause"):
            return decode_pause(await self.mongo.runs.find_one_and_delete({"_id": PAUSE}))


def decode_pause(document: Mapping[str, Any] | None) -> Pause | None:
    if document is None:
        return None
    # Whoever noted it by hand meant it, whatever is missing.
    by, reason = read_text(document, "by"), read_text(document, "reason")
    return Pause(by=by, reason=reason, start_time=read_time(document, "started"))
