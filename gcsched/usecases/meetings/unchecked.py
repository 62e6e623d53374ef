"""The sweep's look at meetings whose check time has come: what crashed or was missed is healed."""

from dataclasses import dataclass
from datetime import timedelta

import structlog

from gcsched.errors import MeetingContended, UnreadableMeeting
from gcsched.usecases.meetings.reconcile import Reconciler
from gcsched.usecases.ports import Clock, Meetings
from gcsched.usecases.stored_time import truncate_to_millisecond

MAX_CHECKED = 100  # in one sweep
WITHIN = timedelta(seconds=10)
PUT_OFF = timedelta(minutes=10)  # one that cannot be read must not keep the others waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckMeetings:
    """Reconciles the meetings that have been due for a check for longest."""

    meetings: Meetings
    reconciler: Reconciler
    now: Clock

    async def check(self) -> int:
        """Reconcile MAX_CHECKED meetings at most; return how many. Raises StoreUnavailable."""
        now = truncate_to_millisecond(self.now())
        found = await self.meetings.find_unchecked(now=now, most=MAX_CHECKED)
        stuck = [each for each in found if not await self._try_reconcile(each)]
        if stuck:
            await self.meetings.put_off(stuck, now + PUT_OFF)
        return len(found) - len(stuck)

    async def _try_reconcile(self, meeting_id: str) -> bool:
        try:
            await self.reconciler.reconcile(meeting_id, within=WITHIN)
        except (MeetingContended, UnreadableMeeting) as error:
            structlog.get_logger().warning(
                "meeting not looked at", meeting_id=meeting_id, error=error.for_log
            )
            return False
        return True
