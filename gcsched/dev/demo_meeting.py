"""The meeting of the demo: an invitation, a move and a cancellation, one mail after the other."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gcsched.pb import task_pb2

if TYPE_CHECKING:
    from gcsched.pb import task_pb2_grpc

LABEL = "one meeting"
ATTENDEE = "charles@example.org"
SUMMARY = "Tour of the mill"
IN_DAYS, START, LATER_START = 7, "09:00", "11:00"
LENGTH = timedelta(hours=1)
POLL_INTERVAL_SECONDS = 0.1
MAX_WAIT_SECONDS = 30.0
CALL_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingDemo:
    """Creates a meeting, moves it, and cancels it, each once the mail before has left."""

    stub: "task_pb2_grpc.SchedulerAsyncStub"
    print_lines: Callable[..., None]
    now: Callable[[], datetime]

    async def run(self) -> None:
        now = self.now()
        day = (now + timedelta(days=IN_DAYS)).date().isoformat()
        made = await self.stub.CreateMeeting(build_creation(now, day), timeout=CALL_TIMEOUT_SECONDS)
        self._print(f"created as {made.meeting_id}, {format_times(made)}")
        if await self._wait_for_mail(made):
            moved = await self._move(made.meeting_id, f"{day}T{LATER_START}")
            if await self._wait_for_mail(moved):
                await self._cancel(made.meeting_id)

    async def _move(self, meeting_id: str, start: str) -> task_pb2.Meeting:
        request = task_pb2.UpdateMeetingRequest(
            meeting=task_pb2.Meeting(meeting_id=meeting_id, start=start)
        )
        moved: task_pb2.Meeting = await self.stub.UpdateMeeting(
            request, timeout=CALL_TIMEOUT_SECONDS
        )
        self._print(f"moved to {format_times(moved)}")
        return moved

    async def _cancel(self, meeting_id: str) -> None:
        request = task_pb2.CancelMeetingRequest(
            meeting_id=meeting_id, reason="The mill is being repaired."
        )
        cancelled = await self.stub.CancelMeeting(request, timeout=CALL_TIMEOUT_SECONDS)
        self._print("cancelled")
        if await self._wait_for_mail(cancelled):
            self._print("three mails about one entry in the calendar")

    async def _wait_for_mail(self, meeting: task_pb2.Meeting) -> bool:
        """Wait until the attendee knows of the latest change; return whether that came."""
        start = time.monotonic()
        request = task_pb2.GetMeetingRequest(meeting_id=meeting.meeting_id)
        while time.monotonic() - start < MAX_WAIT_SECONDS:
            [attendee] = (
                await self.stub.GetMeeting(request, timeout=CALL_TIMEOUT_SECONDS)
            ).attendees
            is_latest = attendee.told_sequence >= meeting.sequence
            if attendee.told == task_pb2.Attendee.SURE and is_latest:
                return True
            await asyncio.sleep(POLL_INTERVAL_SECONDS)
        self._print(f"no mail after {MAX_WAIT_SECONDS:.0f} s; see `gcsched meeting show`")
        return False

    def _print(self, words: str) -> None:
        self.print_lines(f"  {LABEL:14} {words}")


def build_creation(now: datetime, day: str) -> task_pb2.CreateMeetingRequest:
    meeting = task_pb2.Meeting(
        summary=f"{SUMMARY} (demo of {now:%H:%M:%S})",
        start=f"{day}T{START}",
        duration=LENGTH,
        time_zone="Europe/London",
        location="Gate 3",
        attendees=[task_pb2.Attendee(email=ATTENDEE, name="Charles")],
    )
    # An id of its own: the channel repeats calls.
    return task_pb2.CreateMeetingRequest(meeting=meeting, request_id=f"demo-{now.timestamp()}")


def format_times(meeting: task_pb2.Meeting) -> str:
    return f"{meeting.start} to {meeting.end[-5:]}, {meeting.time_zone}"
