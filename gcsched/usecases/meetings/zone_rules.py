"""Moves meetings whose wall times mean other instants by newer rules of their time zones.

The rules of a process never change, so it looks at all meetings after its start, and once more when
processes that it has replaced, with older rules, have surely ended.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from gcsched.domain.meetings.evidence import fold_jobs
from gcsched.domain.meetings.zone_rules import StoredTimes, apply_zone_rules, may_move
from gcsched.errors import MeetingContended, UnreadableMeeting
from gcsched.usecases.meetings.reconcile import Reconciler
from gcsched.usecases.ports import Clock, Meetings
from gcsched.usecases.stored_time import truncate_to_millisecond

PAGE_SIZE = 500
MAX_SECONDS = 1.0  # of one sweep, which has other work
MAX_TRIES = 5
PASSES = 2
PASS_INTERVAL_SECONDS = 3_600.0
WITHIN = timedelta(seconds=5)


@dataclass(slots=True, kw_only=True, eq=False)
class ApplyZoneRules:
    """Looks at the meetings that are still to come, page by page; *version* is that of the rules.

    Without a version the rules are those of the host, and nothing is moved.
    """

    meetings: Meetings
    reconciler: Reconciler
    now: Clock
    version: str
    _after: StoredTimes | None = field(default=None, init=False)
    _passes_left: int = field(default=PASSES, init=False)
    _not_before: float = field(default=0.0, init=False)

    async def apply(self) -> int:
        """Move meetings for MAX_SECONDS; return how many moved. Raises StoreUnavailable."""
        if not self.version or not self._passes_left or time.monotonic() < self._not_before:
            return 0
        count, until = 0, time.monotonic() + MAX_SECONDS
        while True:  # so that each sweep gets on, however slow the store is
            now = truncate_to_millisecond(self.now())
            page = await self.meetings.find_upcoming(self._after, now=now, most=PAGE_SIZE)
            count += await self._apply_to(page, until)
            if len(page) < PAGE_SIZE and (not page or self._after is page[-1]):
                self._end_pass()
                return count
            if time.monotonic() >= until:
                return count

    def _end_pass(self) -> None:
        self._after = None
        self._passes_left -= 1
        self._not_before = time.monotonic() + PASS_INTERVAL_SECONDS

    async def _apply_to(self, page: Sequence[StoredTimes], until: float) -> int:
        """Move meetings of *page* while there is time; the next sweep goes on from there."""
        count = 0
        for each in page:
            if may_move(each):
                count += await self._try_move(each.meeting_id)
            self._after = each
            if time.monotonic() >= until:
                break
        return count

    async def _try_move(self, meeting_id: str) -> bool:
        """Move the meeting if it has to be; return whether it was."""
        try:
            return await self._move_with_retries(meeting_id)
        except (MeetingContended, UnreadableMeeting) as error:
            structlog.get_logger().warning(
                "meeting not looked at", meeting_id=meeting_id, error=error.for_log
            )
            return False

    async def _move_with_retries(self, meeting_id: str) -> bool:
        for _ in range(MAX_TRIES):
            if (is_moved := await self._move(meeting_id)) is not None:
                return is_moved
        raise MeetingContended(meeting_id, MAX_TRIES)

    async def _move(self, meeting_id: str) -> bool | None:
        """Move the meeting if it has to be; return None if it changed in between."""
        meeting = await self.meetings.find(meeting_id)
        if meeting is None:
            return False
        seen = fold_jobs(meeting, await self.meetings.find_jobs(meeting_id))
        changed = apply_zone_rules(seen, self.version, truncate_to_millisecond(self.now()))
        if changed is seen:
            return False
        if not await self.meetings.replace(meeting, changed, within=WITHIN):
            return None
        structlog.get_logger().info(
            "meeting moved by zone rules",
            meeting_id=meeting_id,
            revision=changed.revision.number,
            zone=changed.revision.zone,
            zone_version=self.version,
        )
        await self.reconciler.reconcile(meeting_id, within=WITHIN, known=changed)
        return True
