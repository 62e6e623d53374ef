"""Decide what follows an attempt. Pure: no clock, no I/O; chance is an argument."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from gcsched.domain.due import whole_second
from gcsched.domain.job import Attempt, Job
from gcsched.domain.replies import Kind, hinted_wait


class OnUncertain(StrEnum):
    """What to do with a mail that the relay may or may not have taken."""

    RESEND = "resend"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Done:
    """The relay took the mail."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Deliver again at *at*; *charged* says whether an attempt is used up."""

    at: datetime
    charged: bool = True


@dataclass(frozen=True, slots=True)
class GiveUp:
    """End as FAILED."""

    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Stay UNCERTAIN until an operator decides."""

    reason: str


Verdict = Done | TryAgain | GiveUp | Hold

FIRST_WAIT_OURS = timedelta(seconds=1)
LONGEST_WAIT_OURS = timedelta(seconds=60)
LOST_REPLY = "the relay's reply to the body is unknown: it may have taken the mail"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential back-off with full jitter, and what a lost reply means.

    The wait before try n+1 is drawn from 0 to ``min(first_wait * 2**(n-1), longest_wait)`` (AWS
    Architecture Blog, "Exponential Backoff And Jitter"), never under ``shortest_wait``. Trouble
    with the relay waits less: its breaker spares it, and a mail should leave soon after it is back.
    """

    attempts: int = 5
    first_wait: timedelta = timedelta(seconds=30)
    longest_wait: timedelta = timedelta(hours=1)
    shortest_wait: timedelta = timedelta(seconds=1)
    on_uncertain: OnUncertain = OnUncertain.RESEND

    def judge(self, job: Job, attempt: Attempt, *, chance: float) -> Verdict:
        """Judge *attempt* at *job* (as it was before it); *chance* is uniform in 0..1."""
        match attempt.kind:
            case Kind.ACCEPTED:
                return Done()
            case Kind.RECIPIENT | Kind.CONTENT | Kind.POLICY:
                return GiveUp(attempt.text)
            case Kind.OURS:
                wait = self.wait_ours(len(job.attempts) + 1, chance)
                return TryAgain(at=whole_second(attempt.ended + wait), charged=False)
            case Kind.UNCERTAIN if self.on_uncertain is OnUncertain.HOLD:
                return Hold(LOST_REPLY)
            case Kind.UNCERTAIN | Kind.LATER:
                return self.later(job.attempt + 1, attempt, chance)
            case never:
                assert_never(never)

    def later(self, tries: int, attempt: Attempt, chance: float) -> Verdict:
        if tries >= self.attempts:
            return GiveUp(f"{tries} attempts failed, the last with: {attempt.text}")
        # Only a relay's own words are a hint; ours may say "no answer within 600 seconds".
        hint = hinted_wait(attempt.text) if attempt.code is not None else None
        return TryAgain(at=whole_second(attempt.ended + (hint or self.wait(tries, chance))))

    def wait(self, tries: int, chance: float) -> timedelta:
        doublings = min(tries - 1, 30)
        longest = min(
            self.first_wait.total_seconds() * 2**doublings, self.longest_wait.total_seconds()
        )
        return max(timedelta(seconds=longest * chance), self.shortest_wait)

    def wait_ours(self, tries: int, chance: float) -> timedelta:
        longest = min(FIRST_WAIT_OURS * (1 << min(tries - 1, 30)), LONGEST_WAIT_OURS)
        return max(longest * chance, FIRST_WAIT_OURS)
