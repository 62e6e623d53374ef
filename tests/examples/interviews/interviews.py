"""An application that books interviews and has gcsched mail the candidates."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gcsched.client import (
    DAILY,
    AsyncClient,
    CallFailed,
    Client,
    DeadlineExceeded,
    InvalidArgument,
    ResourceExhausted,
    Unavailable,
)

REMIND_BEFORE = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Interview:
    """An interview with one candidate; *booked* is when it was entered."""

    empid: str
    email: str
    name: str
    topic: str
    start: datetime
    booked: datetime


class BookingRefused(Exception):
    """The form has errors: field → problem."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(", ".join(f"{field}: {problem}" for field, problem in problems.items()))
        self.problems = problems


@dataclass
class Desk:
    """Books interviews. An invitation that gcsched cannot take now waits in *unsent*."""

    gcsched: Client
    unsent: list[Interview] = field(default_factory=list[Interview])

    def book(self, interview: Interview) -> list[str]:
        """Schedule the invitation and the reminder; return their job ids.

        Raises BookingRefused if the candidate cannot be mailed.
        """
        try:
            return self._schedule(interview)
        except InvalidArgument as error:
            raise BookingRefused({v.field: v.problem for v in error.violations}) from error
        except (Unavailable, DeadlineExceeded, ResourceExhausted):
            self.unsent.append(interview)
            return []

    def send_unsent(self) -> None:
        """Try again what gcsched could not take; the same request is never a second mail."""
        waiting, self.unsent = self.unsent, []
        for interview in waiting:
            self.book(interview)

    def withdraw(self, job_id: str) -> bool:
        """Cancel a mail; return False if it has left already."""
        try:
            self.gcsched.cancel(job_id)
        except CallFailed as error:
            if error.reason == "ILLEGAL_TRANSITION":
                return False
            raise
        return True

    def _schedule(self, interview: Interview) -> list[str]:
        reminder = interview.start - REMIND_BEFORE
        return [
            self.gcsched.schedule(
                empid=interview.empid,
                email=interview.email,
                name=interview.name,
                message=message,
                at=at,
            ).job_id
            for message, at in (
                (f"Invitation: {interview.topic}", interview.booked),
                (f"Tomorrow: {interview.topic}", reminder),
            )
        ]


async def announce(gcsched: AsyncClient, interviews: Sequence[Interview], message: str) -> None:
    """Mail *message* to all candidates with the next daily run."""
    await asyncio.gather(
        *(
            gcsched.schedule(
                empid=each.empid, email=each.email, name=each.name, message=message, at=DAILY
            )
            for each in interviews
        )
    )
