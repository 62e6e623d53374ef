"""Notices that something happened to the mail of a meeting, which then is looked at soon.

Notices of one meeting are joined, so that a meeting with many attendees is looked at once a second
at most. One that is lost with a killed process costs time only: the meeting has its check time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import structlog

from gcsched.domain.job import FINAL_STATES, Job, State
from gcsched.domain.meeting_mail import MeetingMail, Purpose
from gcsched.domain.meetings.evidence import may_have_left, read_word
from gcsched.errors import MeetingContended, StoreUnavailable, UnreadableMeeting
from gcsched.usecases.loops import flush_until, sleep_unless
from gcsched.usecases.ports import Meetings, SentWord
from gcsched.usecases.problem_log import ProblemLog

INTERVAL = timedelta(seconds=1)
MAX_WAITING = 50_000  # more are left to the sweep
MAX_WORDS = 500  # in one write
MAX_STUCK = 1_000
AT_ONCE = 4  # meetings; each takes some statements one after the other

Reconcile = Callable[[str], Awaitable[object]]


@dataclass(slots=True, kw_only=True, eq=False)
class MeetingNotices:
    """Collects notices, and has each meeting reconciled by *reconcile*.

    The first mail of a request with an event needs no plan once it is sent: that is noted for many
    meetings in one write.
    """

    meetings: Meetings
    reconcile: Reconcile
    interval: timedelta = INTERVAL
    _meeting_ids: dict[str, None] = field(default_factory=dict, init=False)
    _words: list[SentWord] = field(default_factory=list, init=False)
    _requested: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _is_away: bool = field(default=False, init=False)
    _stuck: dict[str, str] = field(default_factory=dict, init=False)
    _problem_log: ProblemLog = field(
        default_factory=partial(
            ProblemLog,
            event="meetings not looked at, retrying",
            end_event="meetings looked at again",
        ),
        init=False,
    )

    def notice(self, meeting_id: str) -> None:
        """Have the meeting looked at soon."""
        if len(self._meeting_ids) < MAX_WAITING:
            self._meeting_ids[meeting_id] = None
            self._requested.set()

    def on_outcomes(self, jobs: Iterable[Job]) -> None:
        """Take in what became of *jobs*, of which most may have no meeting."""
        for job in jobs:
            if job.meeting is not None and not job.meeting.is_sample:
                self._on_outcome(job, job.meeting)

    def _on_outcome(self, job: Job, mail: MeetingMail) -> None:
        if job.state is State.SENT and mail == MeetingMail(revision=mail.revision):
            if len(self._words) < MAX_WAITING:
                self._words.append(make_word(job, mail))
                self._requested.set()
        elif is_notable(job, mail):
            self.notice(mail.meeting_id)

    async def run(self, stop: asyncio.Event) -> None:
        """Have meetings looked at until *stop*; what is still to be noted then is written."""
        await flush_until(
            stop,
            partial(self._flush, stop),
            requested=self._requested,
            is_left=lambda: bool(self._words) and not self._is_away,
        )

    async def _flush(self, stop: asyncio.Event) -> None:
        try:
            await self._note_words()
            if not stop.is_set():
                await self._reconcile_all(stop)
        except StoreUnavailable as error:
            self._is_away = True
            self._problem_log.record_failure(error.for_log, waiting=self.waiting)
            self._requested.set()
        else:
            self._is_away = False
            self._problem_log.record_success()
        await sleep_unless(stop, self.interval.total_seconds())

    @property
    def waiting(self) -> int:
        return len(self._meeting_ids) + len(self._words)

    async def _note_words(self) -> None:
        while words := self._words[:MAX_WORDS]:
            left = await self.meetings.note_sent(words)
            del self._words[: len(words)]
            self._meeting_ids |= dict.fromkeys(left)

    async def _reconcile_all(self, stop: asyncio.Event) -> None:
        """Reconcile the meetings that are noticed now; later notices wait for the next time."""
        noticed = list(self._meeting_ids)
        while noticed and not stop.is_set():
            part, noticed = noticed[:AT_ONCE], noticed[AT_ONCE:]
            for meeting_id in part:
                del self._meeting_ids[meeting_id]
            results = await asyncio.gather(*map(self.try_reconcile, part))
            for error in filter(None, results):
                self._meeting_ids |= dict.fromkeys((*part, *noticed))
                raise error

    async def try_reconcile(self, meeting_id: str) -> StoreUnavailable | None:
        """Reconcile one meeting; return the error of a store that is away."""
        try:
            await self.reconcile(meeting_id)
        except StoreUnavailable as error:
            return error
        except (MeetingContended, UnreadableMeeting) as error:
            self._log_stuck(meeting_id, error.for_log)
        else:
            self._stuck.pop(meeting_id, None)
        return None

    def _log_stuck(self, meeting_id: str, error: str) -> None:
        """Log that a meeting cannot be looked at, once for each error: its mails come again."""
        if self._stuck.get(meeting_id) == error:
            return
        if len(self._stuck) >= MAX_STUCK:
            self._stuck.clear()
        self._stuck[meeting_id] = error
        structlog.get_logger().warning("meeting not looked at", meeting_id=meeting_id, error=error)


def is_notable(job: Job, mail: MeetingMail) -> bool:
    """Return whether the outcome of *job* changes what is known of an attendee.

    Reminders say nothing about a meeting that an attendee did not know.
    """
    is_over = job.state in FINAL_STATES or job.state is State.UNCERTAIN
    return mail.purpose is not Purpose.REMINDER and (is_over or may_have_left(job))


def make_word(job: Job, mail: MeetingMail) -> SentWord:
    return SentWord(
        meeting_id=mail.meeting_id,
        job_id=job.id,
        message_id=job.message_id,
        word=read_word(job),
    )


def list_meetings(jobs: Sequence[Job]) -> Collection[str]:
    """Return the ids of the stored meetings that *jobs* are about."""
    mails = [job.meeting for job in jobs if job.meeting is not None]
    return {mail.meeting_id for mail in mails if not mail.is_sample}
