"""Creates meetings: stores one, then makes the invitations that it needs.

The meeting is stored first, with a time at which its mails are looked at. So if the process dies,
or MongoDB is away, before they are made, the sweep makes them.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from gcsched.domain.actor import Actor
from gcsched.domain.meetings.acts import Act
from gcsched.domain.meetings.changes import create_meeting
from gcsched.domain.meetings.drafts import MeetingDraft
from gcsched.domain.meetings.effects import Effect
from gcsched.domain.meetings.keys import fingerprint_draft
from gcsched.domain.meetings.meeting import Meeting
from gcsched.domain.meetings.plan import find_needed_revisions, plan_mails
from gcsched.domain.meetings.requests import validate_new_meeting
from gcsched.domain.validation import request_id_violations
from gcsched.errors import (
    InvalidRequest,
    MeetingContended,
    RequestIdReused,
    StoreRefused,
    StoreUnavailable,
)
from gcsched.usecases.meetings.reconcile import Reconciler
from gcsched.usecases.meetings.result import (
    MeetingResult,
    MeetingRules,
    limit_write,
    retry_while_away,
    settle,
    time_left,
)
from gcsched.usecases.ports import AdmissionCheck, Clock, InvitationLimits, Meetings, admit_always
from gcsched.usecases.stored_time import truncate_to_millisecond

MIN_RECONCILE = timedelta(milliseconds=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateMeeting:
    """Creates one meeting for a caller; with a request id a repeated call finds that meeting."""

    store: Meetings
    reconciler: Reconciler
    rules: MeetingRules
    quota: InvitationLimits
    now: Clock
    check_admission: AdmissionCheck = admit_always

    async def create(
        self, draft: MeetingDraft, *, actor: Actor, within: timedelta, is_dry_run: bool = False
    ) -> MeetingResult:
        """Create the meeting of *draft*, or check it if *is_dry_run*, within the caller's time.

        Raises InvalidRequest, RequestIdReused, ClientLimit, UnreadableMeeting, AdmissionClosed or
        StoreUnavailable: then the meeting may be stored, unless a call with its request id says
        otherwise.
        """
        until = time.monotonic() + within.total_seconds()
        try:
            async with asyncio.timeout(within.total_seconds()):
                earlier = await retry_while_away(lambda: self._find_earlier(draft, actor), until)
                if earlier is None:
                    stored, note = await self._store(draft, actor, until, is_dry_run=is_dry_run)
                else:
                    stored, note = earlier, self._find_note(draft, actor)
                if is_dry_run:
                    return await self._preview(stored, note, is_stored=earlier is not None)
        except TimeoutError as error:
            raise StoreUnavailable("storing the meeting") from error
        return await self._invite(stored, note, until)

    async def _find_earlier(self, draft: MeetingDraft, actor: Actor) -> Meeting | None:
        """Return the meeting of an earlier call with the same request id, if there is one."""
        request_id = draft.request_id
        if not request_id or any(request_id_violations(request_id)):
            return None
        found = await self.store.find_by_request_id(request_id, client=actor.client.name)
        return None if found is None else require_same(found, draft)

    async def _store(
        self, draft: MeetingDraft, actor: Actor, until: float, *, is_dry_run: bool
    ) -> tuple[Meeting, str]:
        """Store the meeting of *draft*; return it, or that of a call that was faster, and a note.

        A dry run stores nothing.
        """
        now = truncate_to_millisecond(self.now())
        new = validate_new_meeting(draft, self.rules.check_for(actor.client, now))
        meeting = create_meeting(new, Act(actor=actor, now=now))
        note, count = new.values.occasion.time_note, len(new.attendees)
        if is_dry_run:
            await self.quota.check(actor.client, count, within=limit_write(until))
            return meeting, note
        await self.check_admission()
        stored = await self._insert(meeting, actor, count, until)
        if stored.id != meeting.id:
            return require_same(stored, draft), note
        structlog.get_logger().info(
            "meeting created", meeting_id=meeting.id, attendees=count, client=actor.name
        )
        return stored, note

    async def _insert(self, meeting: Meeting, actor: Actor, count: int, until: float) -> Meeting:
        reserved = await retry_while_away(
            lambda: self.quota.reserve(actor.client, count, within=limit_write(until)), until
        )
        try:
            stored = await retry_while_away(
                lambda: self.store.insert(meeting, within=limit_write(until)), until
            )
        except StoreRefused:
            await settle(reserved, is_used=False)
            raise
        await settle(reserved, is_used=stored.id == meeting.id)
        return stored

    def _find_note(self, draft: MeetingDraft, actor: Actor) -> str:
        """Return the note on the times of *draft*, whose meeting exists; "" if they are past."""
        checking = self.rules.check_for(actor.client, self.now())
        try:
            return validate_new_meeting(draft, checking).values.occasion.time_note
        except InvalidRequest:
            return ""

    async def _preview(self, meeting: Meeting, note: str, *, is_stored: bool) -> MeetingResult:
        jobs = await self.store.find_jobs(meeting.id) if is_stored else ()
        numbers = find_needed_revisions(meeting, jobs) if is_stored else ()
        revisions = await self.store.find_revisions(meeting.id, numbers) if numbers else {}
        now = truncate_to_millisecond(self.now())
        plan = plan_mails(meeting, jobs, revisions, now=now, rules=self.rules.mails)
        return MeetingResult(
            meeting=meeting, effects=plan.effects, time_note=note, is_stored=is_stored
        )

    async def _invite(self, meeting: Meeting, note: str, until: float) -> MeetingResult:
        """Make the invitations of a stored *meeting* as far as possible: it is stored for good."""
        within = max(time_left(until), MIN_RECONCILE)
        try:
            done = await self.reconciler.reconcile(meeting.id, within=within, known=meeting)
        except (StoreUnavailable, MeetingContended):
            done = None  # the sweep goes on
        if done is None:
            return MeetingResult(
                meeting=meeting, effects=self._expect_effects(meeting), time_note=note
            )
        return MeetingResult(meeting=done.meeting, effects=done.effects, time_note=note)

    def _expect_effects(self, meeting: Meeting) -> Sequence[Effect]:
        now = truncate_to_millisecond(self.now())
        return plan_mails(meeting, (), {}, now=now, rules=self.rules.mails).effects


def require_same(found: Meeting, draft: MeetingDraft) -> Meeting:
    """Return the meeting *found* by the request id of *draft*. Raises RequestIdReused."""
    if found.fingerprint != fingerprint_draft(draft):
        raise RequestIdReused(draft.request_id, found.id, kind="meeting")
    return found
