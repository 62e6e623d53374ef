"""The sweep's look at meetings whose check time has come: what crashed or was missed is healed."""

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta

import structlog

from gcsched.errors import MeetingContended, UnreadableMeeting
from gcsched.usecases.meetings.reconcile import MAX_ROUNDS, Reconciler
from gcsched.usecases.ports import Clock, Meetings
from gcsched.usecases.stored_time import truncate_to_millisecond

MAX_CHECKED = 100  # in one sweep
AT_ONCE = 4
MAX_SECONDS = 3.0  # a sweep has other work, which must not wait for long
WITHIN = timedelta(seconds=10)
PUT_OFF = timedelta(minutes=10)  # one that cannot be read must not keep the others waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckMeetings:
    """Reconciles the meetings that have been due for a check for longest."""

    meetings: Meetings
    reconciler: Reconciler
    now: Clock

    async def check(self) -> int:
        """Reconcile meetings for MAX_SECONDS at most; return how many. Raises StoreUnavailable."""
        now = truncate_to_millisecond(self.now())
        found = await self.meetings.find_unchecked(now=now, most=MAX_CHECKED)
        count, until = 0, time.monotonic() + MAX_SECONDS
        for start in range(0, len(found), AT_ONCE):
            if time.monotonic() > until:
                break
            part = found[start : start + AT_ONCE]
            results = await asyncio.gather(*map(self._try_reconcile, part))
            count += sum(results)
            stuck = [each for each, is_done in zip(part, results, strict=True) if not is_done]
            if stuck:
                await self.meetings.put_off(stuck, now + PUT_OFF)
        return count

    async def _try_reconcile(self, meeting_id: str) -> bool:
        """Reconcile one meeting; return False if it cannot be looked at now."""
        try:
            done = await self.reconciler.reconcile(meeting_id, within=WITHIN)
            if done is None or not done.is_contended:
                return True
            problem = MeetingContended(meeting_id, MAX_ROUNDS).for_log
        except (MeetingContended, UnreadableMeeting) as error:
            problem = error.for_log
        structlog.get_logger().warning(
            "meeting not looked at", meeting_id=meeting_id, error=problem
        )
        return False
