"""What other rules of a time zone make of a meeting: its wall times stay, so it moves. Pure."""

from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from gcsched.domain.access import Client
from gcsched.domain.actor import Actor
from gcsched.domain.meetings.acts import Act
from gcsched.domain.meetings.changes import update_meeting
from gcsched.domain.meetings.meeting import Meeting
from gcsched.domain.meetings.update_checks import find_values
from gcsched.domain.zoned_time import WallTime, load_zone, resolve, zone_names

SERVICE = Actor(client=Client(name="gcsched", scopes=frozenset()), via="sweep", method="")
DAY = timedelta(days=1)


class StoredTimes(Struct, frozen=True, kw_only=True):
    """What is stored of the times of a meeting beside its revision; None: not even that."""

    meeting_id: str
    start: datetime
    end: datetime
    start_wall: datetime | None
    zone: str


def may_move(times: StoredTimes) -> bool:
    """Return whether present rules may give other instants: then its revision has to be read.

    The end of a long meeting can move alone.
    """
    if times.start_wall is None or times.end - times.start > DAY:
        return True
    if times.zone not in zone_names():
        return False
    return resolve_wall(times.start_wall, times.zone) != times.start


def apply_zone_rules(meeting: Meeting, version: str, now: datetime) -> Meeting:
    """Return *meeting* at the instants that its wall times mean by the rules of *version*.

    It stays as it is if these are the same, if it has begun or is cancelled, or if its times were
    found by these rules or newer ones: while a service is upgraded, old processes run beside new
    ones.
    """
    latest = meeting.revision
    if not meeting.is_scheduled or latest.start <= now or latest.zone_version >= version:
        return meeting
    if latest.zone not in zone_names():
        return meeting
    start, end = (resolve_wall(each, latest.zone) for each in (latest.start_wall, latest.end_wall))
    if end <= start:  # the clocks skip from before the start until after the end
        end = start + (latest.end - latest.start)
    if (start, end) == (latest.start, latest.end):
        return meeting
    values = find_values(meeting)
    occasion = replace(values.occasion, start=start, end=end)
    values = replace(values, occasion=occasion, zone_version=version)
    reason = f"the rules of the time zone {latest.zone} have changed ({version})"
    return update_meeting(meeting, values, Act(actor=SERVICE, now=now, reason=reason))


def resolve_wall(wall: datetime, zone: str) -> datetime:
    return resolve(WallTime(wall, zone), load_zone(zone)).instant
