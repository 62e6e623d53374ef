"""Stores the meetings that a group of requests invites to, after their jobs and before the answers.

The job holds all that its meeting is made of. So if this fails, the call fails, and a repetition of
it finds the job and stores the meeting.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from gcsched.domain.dedup import AdmissionResult
from gcsched.errors import GcschedError, StoreUnavailable
from gcsched.usecases.admission.job_factory import Submission
from gcsched.usecases.ports import NewMeetings

# Callers without an event wait for it as well, so it is tried once.
MAX_WRITE = timedelta(seconds=3)
MIN_WRITE = timedelta(seconds=1)

Answer = AdmissionResult | GcschedError


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingWriter:
    """Makes sure that each job of a group that invites to a meeting has it stored."""

    store: NewMeetings

    async def write(
        self, group: Sequence[Submission], answers: Sequence[Answer]
    ) -> Sequence[Answer]:
        """Store the meetings; return *answers*, with the error for those that could not be."""
        invited = [
            (each, answer)
            for each, answer in zip(group, answers, strict=True)
            if isinstance(answer, AdmissionResult)
            and answer.meeting_id
            and not (each.is_late and answer.is_new)  # not stored
        ]
        if not invited:
            return answers
        new = [each.job for each, answer in invited if answer.is_new]
        replayed = [(each.job_id, each.meeting_id) for _, each in invited if not each.is_new]
        left = timedelta(seconds=min(each.deadline for each, _ in invited) - time.monotonic())
        try:
            errors = await self.store.record(
                new, replayed, within=min(max(left, MIN_WRITE), MAX_WRITE)
            )
        except StoreUnavailable as error:
            errors = {answer.meeting_id: error for _, answer in invited}
        failed = {
            each.job.id: errors[answer.meeting_id]
            for each, answer in invited
            if answer.meeting_id in errors
        }
        return [
            failed.get(each.job.id) or answer for each, answer in zip(group, answers, strict=True)
        ]
