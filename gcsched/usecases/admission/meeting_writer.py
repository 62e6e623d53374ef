"""Stores the meetings that requests invite to, after their jobs and before the answers.

The job holds all that its meeting is made of. So if this fails, the call fails, and a repetition of
it finds the job and stores the meeting. Only calls with an event wait for it: jobs are written on
meanwhile, whatever becomes of meetings.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from msgspec import Struct

from gcsched.domain.dedup import AdmissionResult
from gcsched.domain.job import Job
from gcsched.errors import GcschedError, StoreUnavailable
from gcsched.usecases.admission.job_factory import Submission
from gcsched.usecases.batching import GroupCommit
from gcsched.usecases.ports import NewMeetings

# Calls of the next group wait for it, so it is tried once.
MAX_WRITE = timedelta(seconds=3)
MIN_WRITE = timedelta(seconds=1)
MAX_BATCH_SIZE = 1_000

Answer = AdmissionResult | GcschedError


class AcceptedEvent(Struct, frozen=True, kw_only=True):
    """A call with an event whose job is stored: that *job* if it *is_new*, or an earlier one."""

    job: Job
    job_id: str
    meeting_id: str
    is_new: bool
    deadline: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingWriter:
    """Makes sure that each accepted call with an event has its meeting stored.

    *group* joins the calls of many callers, one write after the other.
    """

    store: NewMeetings
    max_waiting: int = 10_000
    group: GroupCommit[AcceptedEvent, StoreUnavailable | None] = field(init=False)

    def __post_init__(self) -> None:
        group: GroupCommit[AcceptedEvent, StoreUnavailable | None] = GroupCommit(
            self._write, max_batch_size=MAX_BATCH_SIZE, max_waiting=self.max_waiting
        )
        object.__setattr__(self, "group", group)

    async def complete(self, submission: Submission, answer: Answer) -> Answer:
        """Return *answer* once its meeting is stored, if it has one; else the error.

        Raises Overloaded or Stopping.
        """
        event = find_event(submission, answer)
        if event is None:
            return answer
        try:
            error = await self.group.submit(event, deadline=submission.deadline)
        except TimeoutError:
            return StoreUnavailable("storing the meeting")
        return error or answer

    async def complete_all(
        self, submissions: Sequence[Submission], answers: Sequence[Answer]
    ) -> Sequence[Answer]:
        """Do what `complete` does for all calls of a batch; no error fails the others of them."""
        events = [*map(find_event, submissions, answers)]
        if not (waiting := [each for each in events if each is not None]):
            return answers
        try:
            async with asyncio.timeout(waiting[0].deadline - time.monotonic()):
                errors = await self.group.submit_all(waiting)
        except TimeoutError:
            errors = [StoreUnavailable("storing the meeting")] * len(waiting)
        except GcschedError as error:
            errors = [error] * len(waiting)
        remaining = iter(errors)
        return [
            answer if event is None else next(remaining) or answer
            for event, answer in zip(events, answers, strict=True)
        ]

    async def _write(self, group: Sequence[AcceptedEvent]) -> list[StoreUnavailable | None]:
        """Store the meetings of *group*; return for each the error, None if it is stored."""
        new = [each.job for each in group if each.is_new]
        replayed = [(each.job_id, each.meeting_id) for each in group if not each.is_new]
        left = timedelta(seconds=min(each.deadline for each in group) - time.monotonic())
        within = min(max(left, MIN_WRITE), MAX_WRITE)
        errors = await self.store.record(new, replayed, within=within)
        return [errors.get(each.meeting_id) for each in group]


def find_event(submission: Submission, answer: Answer) -> AcceptedEvent | None:
    """Return what has to be stored before *answer* to *submission* holds; None if nothing has."""
    if not isinstance(answer, AdmissionResult) or not answer.meeting_id:
        return None
    return AcceptedEvent(
        job=submission.job,
        job_id=answer.job_id,
        meeting_id=answer.meeting_id,
        is_new=answer.is_new,
        deadline=submission.deadline,
    )
