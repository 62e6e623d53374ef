"""The stored times of the meetings that are still to come, page by page."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gcsched.adapters.mongo.client_indexes import read_if_made
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.index_names import BY_START
from gcsched.domain.meetings.meeting import MeetingState
from gcsched.domain.meetings.zone_rules import StoredTimes

PROJECTION = {"start": 1, "end": 1, "start_wall": 1, "zone": 1}
READ_TIMEOUT_MS = 5_000


async def find_upcoming(
    mongo: Mongo, after: StoredTimes | None, *, now: datetime, most: int
) -> Sequence[StoredTimes]:
    """Return *most* meetings that start after *now* and follow *after*, by start and id.

    Raises the driver's errors.
    """
    bounds: list[tuple[str, Any]] = [("start", now), ("_id", "")]
    if after is not None and after.start > now:
        bounds = [("start", after.start), ("_id", after.meeting_id)]
    cursor = mongo.meetings.find(
        {"start": {"$gt": now}, "state": MeetingState.SCHEDULED.value},
        PROJECTION,
        sort=[("start", 1), ("_id", 1)],
        hint=BY_START,
        limit=most + 1,
        batch_size=most + 1,
        max_time_ms=READ_TIMEOUT_MS,
    )
    cursor = cursor.min(bounds)  # inclusive: the first one may be *after* itself
    found = await read_if_made(mongo, BY_START, cursor.to_list(None), otherwise=[])
    known = "" if after is None else after.meeting_id
    return [read_times(each) for each in found if each["_id"] != known][:most]


def read_times(document: Mapping[str, Any]) -> StoredTimes:
    """Return the times of *document*; one that lacks or damages a field has to be read in full."""
    wall, zone, end = (document.get(name) for name in ("start_wall", "zone", "end"))
    start = document["start"]
    return StoredTimes(
        meeting_id=str(document["_id"]),
        start=start,
        end=end if isinstance(end, datetime) else start,
        start_wall=read_wall(wall) if isinstance(zone, str) else None,
        zone=zone if isinstance(zone, str) else "",
    )


def read_wall(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
