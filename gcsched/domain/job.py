"""A job and the moves it may make. Pure: every method gives a new job or refuses."""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from gcsched.domain.attempt import Attempt, trim_attempts
from gcsched.domain.mail_date import find_date_to_keep
from gcsched.errors import IllegalTransition


class State(StrEnum):
    """Where a job is in its life."""

    QUEUED = "QUEUED"
    SCHEDULED = "SCHEDULED"
    SENDING = "SENDING"
    RETRYING = "RETRYING"
    UNCERTAIN = "UNCERTAIN"
    SENT = "SENT"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    SUPPRESSED = "SUPPRESSED"


class Priority(StrEnum):
    """Which of the mails that wait is sent first."""

    NORMAL = "NORMAL"
    URGENT = "URGENT"


NEXT: Mapping[State, AbstractSet[State]] = {
    State.QUEUED: {State.QUEUED, State.SCHEDULED, State.RETRYING, State.CANCELLED, State.SENT},
    State.SCHEDULED: {
        State.QUEUED,
        State.SCHEDULED,
        State.SENDING,
        State.CANCELLED,
        State.SENT,
        State.EXPIRED,
    },
    State.SENDING: {
        State.QUEUED,
        State.SCHEDULED,
        State.RETRYING,
        State.SENT,
        State.FAILED,
        State.UNCERTAIN,
        State.CANCELLED,
        State.EXPIRED,
        State.SUPPRESSED,
    },
    State.RETRYING: {
        State.QUEUED,
        State.SCHEDULED,
        State.RETRYING,
        State.SENDING,
        State.CANCELLED,
        State.SENT,
        State.EXPIRED,
    },
    State.UNCERTAIN: {State.SENT, State.FAILED, State.RETRYING},
    State.SENT: set(),
    State.FAILED: {State.RETRYING},
    State.CANCELLED: set(),
    State.EXPIRED: {State.RETRYING},
    State.SUPPRESSED: {State.RETRYING},
}

FINAL_STATES = frozenset(
    {State.SENT, State.FAILED, State.CANCELLED, State.EXPIRED, State.SUPPRESSED},
)
CLAIMABLE = (State.SCHEDULED, State.RETRYING)
WAITING = (State.QUEUED, *CLAIMABLE)
WITHDRAWABLE = (*WAITING, State.SENDING)  # SENDING only until the body has begun
RETRYABLE = (State.FAILED, State.EXPIRED, State.UNCERTAIN, State.SUPPRESSED)
KEEPS_DEDUP_KEY = frozenset(State) - FINAL_STATES | {State.SENT}

REFUSAL_REASONS: Mapping[State, str] = {
    **dict.fromkeys(WAITING, "it waits to be sent; reschedule it instead"),
    State.SENDING: "it is claimed to be sent now; look again in a minute",
    State.UNCERTAIN: "nobody knows whether its mail was taken; retry or resolve it",
    State.SENT: "its mail was sent",
    State.CANCELLED: "what is cancelled stays so",
    **dict.fromkeys((State.FAILED, State.EXPIRED, State.SUPPRESSED), "it has ended; retry it"),
}
BODY_HAS_BEGUN = "its body has begun, so the relay may have it; look again in a minute"

LEASE = timedelta(seconds=30)
LEASE_LEFT_AT_BODY = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One mail to be sent.

    ``due_at`` is the second that was asked for (or given by the daily run) and never earlier than
    ``created``; ``due_time`` is when the engine acts next, and after ``expire_time`` it does not send any
    more; ``not_after_asked`` says that the caller has set it, so that no daily run may move it.
    ``attempt`` counts outcomes, not starts. ``since`` is when ``state`` was entered.
    ``claim`` is the token of the process that is to send it, ``begun`` when that process was
    allowed to write the body: both only while it is SENDING. A change of a claimed job names its
    claim, so that it never reaches a later one.
    ``date`` is the Date header of its mail since a body of it may have left.
    ``fingerprint`` stands for the content, where a ``request_id`` does not let it be repeated; the
    ``dedup_key`` is free for others from ``dedup_until`` on.
    ``released_key`` is the dedup key that it let go, when it ended or when another one was due, to
    be taken again.
    """

    id: str
    state: State
    empid: str
    email: str
    message: str
    name: str
    create_time: datetime
    schedule_time: datetime
    due_time: datetime
    expire_time: datetime
    state_time: datetime
    message_id: str
    dedup_key: str | None
    released_key: str | None = None
    template: str = "doc"
    variables: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    reply_to: str = ""
    request_id: str = ""
    fingerprint: str = ""
    dedup_until: datetime | None = None
    has_own_expire_time: bool = False
    priority: Priority = Priority.NORMAL
    attempt: int = 0
    lease_expirations: int = 0
    version: int = 0
    claim: str | None = None
    begun: datetime | None = None
    date: datetime | None = None
    reason: str = ""
    attempts: tuple[Attempt, ...] = ()

    @property
    def new_attempt(self) -> Attempt | None:
        """The attempt that led to this state; None when the job came to it without one."""
        last = self.attempts[-1] if self.attempts else None
        return last if last is not None and last.end_time == self.state_time else None

    @property
    def is_withdrawable(self) -> bool:
        """Whether no body of it has begun, so that it can still be cancelled or moved."""
        return self.state in WITHDRAWABLE and not self.has_begun

    @property
    def has_begun(self) -> bool:
        """Whether its body may be on its way to the relay at this moment."""
        return self.state is State.SENDING and self.begun is not None

    @property
    def is_erased(self) -> bool:
        """Its employee was forgotten: there is nobody it could be sent to."""
        return not self.email

    def sent(self, attempt: Attempt) -> "Job":
        return self._concluded(State.SENT, attempt, reason="")

    def failed(self, attempt: Attempt, *, reason: str, charged: bool = True) -> "Job":
        return self._concluded(State.FAILED, attempt, reason=reason, charged=charged)

    def expired(self, attempt: Attempt, *, reason: str, charged: bool) -> "Job":
        """End because the next try would come after ``expire_time``."""
        return self._concluded(State.EXPIRED, attempt, reason=reason, charged=charged)

    def skipped(self, state: State, now: datetime, *, reason: str) -> "Job":
        """End as EXPIRED or SUPPRESSED without a conversation: no attempt is made."""
        return self._released(state, now, reason=reason)

    def retried(self, attempt: Attempt, *, due_time: datetime, charged: bool) -> "Job":
        """Put off until *due_time*; *charged* says whether this outcome uses up an attempt."""
        return replace(
            self._concluded(State.RETRYING, attempt, reason=attempt.text, charged=charged),
            due_time=due_time,
        )

    def held(self, attempt: Attempt, *, reason: str, charged: bool = True) -> "Job":
        """Leave it UNCERTAIN for an operator to decide."""
        return self._concluded(State.UNCERTAIN, attempt, reason=reason, charged=charged)

    def unclaimed(self, now: datetime) -> "Job":
        """Undo a claim whose body never began; nothing is charged."""
        state = State.RETRYING if self.attempts else State.SCHEDULED
        return self._transition(state, now)

    def postponed(self, due_time: datetime, now: datetime) -> "Job":
        """Undo a claim until *due_time*; nothing is charged."""
        return replace(self.unclaimed(now), due_time=max(due_time, now))

    def cancelled(self, now: datetime, *, reason: str) -> "Job":
        """End before it was sent; an attempt that is UNCERTAIN may have been taken all the same.

        A claim is no obstacle: its holder asks again before it writes the body, and loses it there.
        """
        if not self.is_withdrawable:
            raise self.transition_error(State.CANCELLED)
        return self._released(State.CANCELLED, now, reason=reason)

    def rescheduled(
        self, schedule_time: datetime, now: datetime, *, is_daily: bool, expire_time: datetime
    ) -> "Job":
        """Wait for *due_time* instead; it may be sent until *expire_time* at least.

        Where its caller has said himself until when, that stays, unless it would be over by *due_time*.
        Its dedup key stays that of the time first asked for.
        """
        timed = State.RETRYING if self.attempts else State.SCHEDULED
        state = State.QUEUED if is_daily else timed
        if not self.is_withdrawable:
            raise self.transition_error(state)
        is_told = self.has_own_expire_time and schedule_time <= self.expire_time
        expire_time = self.expire_time if is_told else max(self.expire_time, expire_time)
        date = find_date_to_keep(self)
        return self._transition(
            state, now, due_at=schedule_time, due=schedule_time, not_after=expire_time, date=date
        )

    def reset_for_retry(
        self, now: datetime, *, expire_time: datetime, dedup_until: datetime
    ) -> "Job":
        """Be due now, as if never tried but for the history, and take the dedup key again.

        What its caller has said of `expire_time` stays, unless it is over.
        """
        self._require_state(RETRYABLE, State.RETRYING)
        if self.is_erased:
            raise self.transition_error(State.RETRYING, why="its employee was forgotten")
        is_told = self.has_own_expire_time and now <= self.expire_time
        return self._transition(
            State.RETRYING,
            now,
            due=now.replace(microsecond=0),
            not_after=self.expire_time if is_told else max(self.expire_time, expire_time),
            reason="",
            attempt=0,
            takebacks=0,
            dedup_key=self.released_key or self.dedup_key,
            dedup_until=self.dedup_until and dedup_until,
            released_key=None,
            date=find_date_to_keep(self),
        )

    def resolved(self, state: State, now: datetime, *, reason: str) -> "Job":
        """End an uncertainty: somebody found out that it is SENT or FAILED."""
        self._require_state((State.UNCERTAIN,), state)
        return self._released(state, now, reason=reason)

    def transition_error(self, wanted: State, *, why: str = "") -> IllegalTransition:
        """Say why it cannot become *wanted*."""
        why = why or (BODY_HAS_BEGUN if self.has_begun else REFUSAL_REASONS[self.state])
        return IllegalTransition(self.id, self.state, wanted, state_time=self.state_time, why=why)

    def _require_state(self, states: Collection[State], wanted: State) -> None:
        if self.state not in states:
            raise self.transition_error(wanted)

    def _concluded(
        self, state: State, attempt: Attempt, *, reason: str, charged: bool = True
    ) -> "Job":
        return self._released(
            state,
            attempt.end_time,
            reason=reason,
            attempt=self.attempt + charged,
            attempts=trim_attempts((*self.attempts, attempt)),
            date=self.date or attempt.date,
        )

    def _released(self, state: State, now: datetime, *, reason: str, **changes: Any) -> "Job":
        keeps_key = state in KEEPS_DEDUP_KEY
        return self._transition(
            state,
            now,
            reason=reason,
            dedup_key=self.dedup_key if keeps_key else None,
            released_key=self.released_key if keeps_key else self.released_key or self.dedup_key,
            **changes,
        )

    def _transition(self, state: State, now: datetime, **changes: Any) -> "Job":
        if state not in NEXT[self.state]:
            raise self.transition_error(state)
        entered: dict[str, Any] = {"state": state, "state_time": now, "version": self.version + 1}
        return replace(self, **entered, claim=None, begun=None, **changes)  # none enters SENDING
