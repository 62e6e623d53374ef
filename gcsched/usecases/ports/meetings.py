"""Ports of meetings: the store of meetings and revisions, and the jobs that follow from them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct

from gcsched.domain.job import Job
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meetings.claims import Objection
from gcsched.domain.meetings.meeting import Meeting, Word
from gcsched.domain.meetings.meeting_list import MeetingCursor, MeetingListQuery
from gcsched.domain.meetings.zone_rules import StoredTimes


class SentWord(Struct, frozen=True, kw_only=True):
    """The first mail about a meeting to an attendee, which the relay accepted."""

    meeting_id: str
    job_id: str
    message_id: str
    word: Word


class Meetings(Protocol):
    """The store of meetings and their revisions."""

    async def find(self, meeting_id: str) -> Meeting | None:
        """Return the meeting with its latest revision, as a majority has it; None if unknown.

        A meeting of an earlier version, or of a request with an event, has what its document lacks
        from its job and its revision. Raises UnreadableMeeting.
        """

    async def find_by_request_id(self, request_id: str, *, client: str) -> Meeting | None:
        """Return the meeting that *client* created with *request_id*."""

    async def insert(self, meeting: Meeting, *, within: timedelta) -> Meeting:
        """Store *meeting* and its first revision; return it.

        Returns the meeting that the same client created with the same request id, if there is one.
        """

    async def replace(self, seen: Meeting, changed: Meeting, *, within: timedelta) -> bool:
        """Store *changed* if the meeting is as it was *seen*; return whether it was.

        A new revision is stored before the meeting that points to it. A number that another write
        has taken is free at the next try.
        """

    async def find_revisions(
        self, meeting_id: str, numbers: Collection[int]
    ) -> Mapping[int, MeetingRevision]:
        """Return those of the revisions *numbers* that exist."""

    async def find_jobs(self, meeting_id: str) -> Sequence[Job]:
        """Return the jobs of the meeting, in every state, as the primary has them."""

    async def find_unchecked(self, *, now: datetime, most: int) -> Sequence[str]:
        """Return the ids of *most* meetings whose check time has come, the longest due first."""

    async def find_upcoming(
        self, after: StoredTimes | None, *, now: datetime, most: int
    ) -> Sequence[StoredTimes]:
        """Return *most* meetings that start after *now*, in the order of their starts."""

    async def put_off(self, ids: Collection[str], until: datetime) -> None:
        """Have *ids*, which cannot be looked at now, not returned as unchecked before *until*."""

    async def note_sent(self, words: Sequence[SentWord]) -> Collection[str]:
        """Note *words* in their meetings; return the ids of meetings that have to be looked at.

        A meeting of which nothing else is left to do is settled by this write.
        """


class MeetingJobs(Protocol):
    """The store of jobs, as meetings write it."""

    async def make(self, jobs: Sequence[Job], *, within: timedelta) -> Sequence[Job]:
        """Store those of *jobs* whose dedup key is free; return them."""

    async def change_all(
        self, pairs: Sequence[tuple[Job, Job]], *, within: timedelta
    ) -> tuple[int, int]:
        """Change the jobs (seen, changed) that are as they were seen, with what their mails show.

        Returns how many were changed, and how many must be read again.
        """


class ClaimedMeetings(Protocol):
    """The store of meetings, as delivery asks it after each claim."""

    async def check(self, jobs: Sequence[Job]) -> Mapping[str, Objection]:
        """Return job id → why it must not be sent now, for those of *jobs* that must not be.

        Stores meetings that are missing because a process died before that.
        """


class MeetingPage(Struct, frozen=True, kw_only=True):
    """Meetings in the order of their list; *next_cursor* starts the next page, None at the end."""

    meetings: tuple[Meeting, ...]
    next_cursor: MeetingCursor | None


class MeetingList(Protocol):
    """Reads lists of meetings."""

    async def read_page(
        self, listing: MeetingListQuery, after: MeetingCursor | None, *, most: int
    ) -> MeetingPage:
        """Return at most *most* meetings that follow *after*."""
