"""What changes of single jobs by callers mean for the meetings that these jobs are about."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from gcsched.domain.job import Job
from gcsched.domain.meetings.claims import find_supersession
from gcsched.errors import MeetingContended, StoreUnavailable, UnreadableMeeting
from gcsched.usecases.meetings.notices import MeetingNotices, list_meetings
from gcsched.usecases.meetings.reconcile import Reconciler
from gcsched.usecases.ports import ClaimedMeetings, Meetings


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingsOfJobs:
    """The port `JobMeetings`."""

    meetings: Meetings
    claimed_meetings: ClaimedMeetings
    reconciler: Reconciler
    notices: MeetingNotices

    async def find_supersession(self, job: Job) -> str:
        """Return why *job* must not be retried; "" if it may."""
        if job.meeting is None:
            return ""
        meeting = await self.meetings.find(job.meeting.meeting_id)
        if meeting is not None:
            return find_supersession(job, meeting)
        return (await self.find_objections([job])).get(job.id, "")

    async def find_objections(self, jobs: Sequence[Job]) -> Mapping[str, str]:
        """Return job id → why it is not wanted any more, for those of *jobs* that are not."""
        mails = [job for job in jobs if job.meeting is not None]
        found = await self.claimed_meetings.check(mails) if mails else {}
        return {job_id: each.reason for job_id, each in found.items() if each.is_final}

    async def reconcile(self, job: Job, *, within: timedelta) -> None:
        """Have the meeting of *job*, which was cancelled, take it in. Raises StoreUnavailable."""
        for meeting_id in list_meetings([job]):
            try:
                done = await self.reconciler.reconcile(meeting_id, within=within)
            except (MeetingContended, UnreadableMeeting) as error:
                # The job is cancelled; the meeting learns of it as soon as it can be changed.
                structlog.get_logger().warning(
                    "meeting not looked at", meeting_id=meeting_id, error=error.for_log
                )
                self.notices.notice(meeting_id)
            else:
                if done is not None and not (done.is_settled or done.is_contended):
                    raise StoreUnavailable("changing the meeting of a job")

    def notice(self, jobs: Collection[Job]) -> None:
        """Have the meetings of *jobs*, which were changed, looked at soon."""
        for meeting_id in list_meetings([*jobs]):
            self.notices.notice(meeting_id)
