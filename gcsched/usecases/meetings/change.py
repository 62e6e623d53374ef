"""Changes one meeting: read it, decide, write if it has not changed meanwhile, reconcile its mails.

The answer waits until no mail waits any more that shows what was before. A change that is made
already is OK again and goes on with its mails, so a caller may repeat a call after any error.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from gcsched.domain.access import Client
from gcsched.domain.actor import Actor
from gcsched.domain.job import Job
from gcsched.domain.meetings.acts import unrecord
from gcsched.domain.meetings.evidence import fold_jobs
from gcsched.domain.meetings.keys import etag_of_meeting
from gcsched.domain.meetings.meeting import Meeting
from gcsched.domain.meetings.plan import find_needed_revisions, plan_mails
from gcsched.domain.meetings.requested_changes import (
    Applied,
    RequestedAttendees,
    RequestedCancellation,
    RequestedChange,
    RequestedRemoval,
    RequestedUpdate,
    list_invited,
)
from gcsched.errors import (
    EtagMismatch,
    GcschedError,
    MeetingContended,
    StoreUnavailable,
    UnknownMeeting,
)
from gcsched.usecases.meetings.reconcile import Reconciled, Reconciler
from gcsched.usecases.meetings.result import (
    MeetingResult,
    MeetingRules,
    limit_write,
    retry_while_away,
    settle,
    time_left,
)
from gcsched.usecases.meetings.visible_meeting import find_visible_meeting
from gcsched.usecases.ports import (
    AdmissionCheck,
    Clock,
    InvitationLimits,
    InvitationReservation,
    Meetings,
    admit_always,
)
from gcsched.usecases.stored_time import truncate_to_millisecond

MAX_TRIES = 5  # lost races before the caller is asked to try again
RACE_INTERVAL_SECONDS = 0.02
MIN_RECONCILE = timedelta(milliseconds=100)
EVENTS = {
    RequestedUpdate: "meeting updated",
    RequestedCancellation: "meeting cancelled",
    RequestedAttendees: "attendees added",
    RequestedRemoval: "attendees removed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingChange:
    """A *change* of a meeting that *actor* wants; with *is_dry_run* it is only checked."""

    meeting_id: str
    change: RequestedChange
    actor: Actor
    etag: str = ""
    is_dry_run: bool = False


@dataclass(kw_only=True, eq=False)
class ChangeProgress:
    """Until when the caller waits, and the room for invitations that is kept for all tries."""

    until: float
    reserved: InvitationReservation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeMeeting:
    """Applies one change; a majority has it when `change` returns."""

    store: Meetings
    reconciler: Reconciler
    rules: MeetingRules
    quota: InvitationLimits
    now: Clock
    check_admission: AdmissionCheck = admit_always

    async def change(self, requested: MeetingChange, *, within: timedelta) -> MeetingResult:
        """Change the meeting, or only check the change, within the time of the caller.

        Raises UnknownMeeting, UnreadableMeeting, MeetingOver, MeetingCancelled, UnknownAttendee,
        InvalidRequest, ClientLimit, EtagMismatch, MeetingContended, AdmissionClosed or
        StoreUnavailable.
        """
        progress = ChangeProgress(until=time.monotonic() + within.total_seconds())
        try:
            async with asyncio.timeout(within.total_seconds()):
                done = await self._change_with_retries(requested, progress)
        except TimeoutError as error:
            raise StoreUnavailable("changing the meeting") from error
        if isinstance(done, MeetingResult):
            return done
        reconciled = await self._reconcile(done.meeting, progress.until)
        return MeetingResult(
            meeting=reconciled.meeting, effects=reconciled.effects, time_note=done.time_note
        )

    async def _change_with_retries(
        self, requested: MeetingChange, progress: ChangeProgress
    ) -> Applied | MeetingResult:
        """Retry after lost races, MAX_TRIES times, and while the store is away."""
        try:
            for _ in range(MAX_TRIES):
                done = await retry_while_away(
                    lambda: self._change_once(requested, progress), progress.until
                )
                if done is not None:
                    return done
                await asyncio.sleep(RACE_INTERVAL_SECONDS)
            raise MeetingContended(requested.meeting_id, MAX_TRIES)
        except StoreUnavailable:
            raise  # the change may have been made, so its invitations count
        except GcschedError:
            await self._settle(progress, is_used=False)
            raise

    async def _change_once(
        self, requested: MeetingChange, progress: ChangeProgress
    ) -> Applied | MeetingResult | None:
        """Read, decide and write once; return None if the meeting changed in between."""
        client = requested.actor.client
        meeting = await find_visible_meeting(self.store.find, requested.meeting_id, client)
        jobs = await self.store.find_jobs(meeting.id)
        seen = fold_jobs(meeting, jobs)
        checking = self.rules.check_for(client, truncate_to_millisecond(self.now()))
        applied = requested.change.apply(seen, requested.actor, checking)
        is_changed = applied.meeting is not seen
        if is_changed and requested.etag and requested.etag != etag_of_meeting(meeting):
            raise EtagMismatch(meeting.id, kind="meeting")
        if requested.is_dry_run:
            count = count_new(seen, applied.meeting)
            await self.quota.check(client, count, within=limit_write(progress.until))
            return await self._preview(seen, applied, jobs)
        if not is_changed:
            await self._settle(progress, is_used=True)  # an earlier try has made the change
            return Applied(meeting, applied.time_note)
        await self._reserve(client, count_new(seen, applied.meeting), progress)
        within = limit_write(progress.until)
        if not await self.store.replace(meeting, applied.meeting, within=within):
            return None
        await self._settle(progress, is_used=True)
        log_change(seen, applied.meeting, requested)
        return applied

    async def _reserve(self, client: Client, count: int, progress: ChangeProgress) -> None:
        if count and progress.reserved is None:
            await self.check_admission()
            within = limit_write(progress.until)
            progress.reserved = await self.quota.reserve(client, count, within=within)

    async def _settle(self, progress: ChangeProgress, *, is_used: bool) -> None:
        reserved, progress.reserved = progress.reserved, None
        await settle(reserved, is_used=is_used)

    async def _preview(self, seen: Meeting, applied: Applied, jobs: Sequence[Job]) -> MeetingResult:
        """Return what the change would do about mails; nothing is stored."""
        meeting = unrecord(seen, applied.meeting)
        missing = find_needed_revisions(meeting, jobs)
        revisions = await self.store.find_revisions(meeting.id, missing) if missing else {}
        now = truncate_to_millisecond(self.now())
        plan = plan_mails(meeting, jobs, revisions, now=now, rules=self.rules.mails)
        return MeetingResult(meeting=meeting, effects=plan.effects, time_note=applied.time_note)

    async def _reconcile(self, meeting: Meeting, until: float) -> Reconciled:
        """Hold back what waits with old content, then make new mails as far as possible."""
        known: Meeting | None = meeting

        async def reconcile() -> Reconciled | None:
            nonlocal known
            first, known = known, None  # by the next try it may have changed
            within = max(time_left(until), MIN_RECONCILE)
            return await self.reconciler.reconcile(meeting.id, within=within, known=first)

        done = await retry_while_away(reconcile, until)
        if done is None:
            raise UnknownMeeting(meeting.id)
        return done


def count_new(seen: Meeting, changed: Meeting) -> int:
    """Return how many attendees are invited by a change."""
    before = {(each.email, each.invited_count) for each in list_invited(seen)}
    return sum((each.email, each.invited_count) not in before for each in list_invited(changed))


def log_change(seen: Meeting, changed: Meeting, requested: MeetingChange) -> None:
    """Log the change, with ids and counts and without addresses."""
    counts = {}
    if isinstance(requested.change, RequestedAttendees | RequestedRemoval):
        counts["count"] = abs(len(list_invited(changed)) - len(list_invited(seen)))
    structlog.get_logger().info(
        EVENTS[type(requested.change)],
        meeting_id=changed.id,
        revision=changed.revision.number,
        client=requested.actor.name,
        **counts,
    )
