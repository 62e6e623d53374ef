"""What a call that creates or changes a meeting comes to, and how it keeps trying."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from gcsched.domain.access import Client
from gcsched.domain.meetings.effects import Effect
from gcsched.domain.meetings.mails import MailRules
from gcsched.domain.meetings.meeting import Meeting
from gcsched.domain.meetings.requests import Checking
from gcsched.domain.request import RequestContext
from gcsched.errors import AdmissionClosed, StoreUnavailable
from gcsched.usecases.ports import InvitationReservation

RETRY_INTERVAL_SECONDS = 0.1
MIN_WRITE = timedelta(milliseconds=500)  # one that is cancelled early may still take effect
MAX_WRITE = timedelta(seconds=3)  # short enough to try a new primary within the caller's time
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingResult:
    """A meeting after a call, and what the call does about its mails.

    If it is not *stored*, the call only checked what it would do.
    """

    meeting: Meeting
    effects: Sequence[Effect] = ()
    time_note: str = ""
    is_stored: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingRules:
    """The rules of one service: for requests about meetings, and for the mails that they make."""

    context: RequestContext
    mails: MailRules
    zone_version: str = ""

    def check_for(self, client: Client, now: datetime) -> Checking:
        """Return what a request of *client* is checked against."""
        return Checking(
            context=self.context, client=client, now=now, zone_version=self.zone_version
        )


async def settle(reserved: InvitationReservation | None, *, is_used: bool) -> None:
    """Count the invitations that were *reserved*, if any were, or undo that."""
    if reserved is not None:
        await reserved.settle(is_used=is_used)


def time_left(until: float) -> timedelta:
    """Return the time until *until*, by ``time.monotonic()``; never less than nothing."""
    return timedelta(seconds=max(0.0, until - time.monotonic()))


def limit_write(until: float) -> timedelta:
    """Return how long one write may take for a caller that waits until *until*."""
    return min(max(time_left(until), MIN_WRITE), MAX_WRITE)


async def retry_while_away(act: Callable[[], Awaitable[T]], until: float) -> T:
    """Return the result of *act*, tried again until *until* while MongoDB is away."""
    while True:
        try:
            return await act()
        except AdmissionClosed:
            raise  # an index is missing: that does not end within the time of a call
        except StoreUnavailable:
            if time.monotonic() + RETRY_INTERVAL_SECONDS > until:
                raise
        await asyncio.sleep(RETRY_INTERVAL_SECONDS)
