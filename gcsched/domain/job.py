"""The job and its state machine. Pure: every method returns a new job or raises.

`State` says what each state means, `NEXT` has the legal moves, and the methods of `Job` make them.
The store makes two moves for many jobs at once: claims, to SENDING, and the daily run's, from
QUEUED to SCHEDULED.
"""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from gcsched.domain.attempt import Attempt, trim_attempts
from gcsched.domain.mail_date import find_date_to_keep
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meeting_mail import MeetingMail
from gcsched.domain.step import Step
from gcsched.errors import IllegalTransition


class State(StrEnum):
    """The state of a job. `NEXT` has every move between states."""

    QUEUED = "QUEUED"  #: Waits for the daily run, which sets its due time and makes it SCHEDULED.
    SCHEDULED = "SCHEDULED"  #: Waits for its due time; no attempt was made yet.
    SENDING = "SENDING"  #: Claimed: one process may deliver it until the lease of its claim ends.
    RETRYING = "RETRYING"  #: Waits for its due time after an attempt, or after a retry by command.
    UNCERTAIN = "UNCERTAIN"  #: The relay may have the mail; held until an operator decides.
    SENT = "SENT"  #: Final: the relay accepted the mail, or an operator resolved it as sent.
    FAILED = "FAILED"  #: Final: refused, out of attempts, not allowed, or resolved as failed.
    CANCELLED = "CANCELLED"  #: Final: a caller withdrew it. No command leads out of this state.
    EXPIRED = "EXPIRED"  #: Final: it could not be sent by its expire time.
    SUPPRESSED = "SUPPRESSED"  #: Final: a suppression of its address was in force when it was due.


class Priority(StrEnum):
    """The order in which due jobs are sent: urgent ones first."""

    NORMAL = "NORMAL"
    URGENT = "URGENT"


# Each row: a state, and the states that a job may enter from there. A move to SENT from a state
# without a claim is a late acceptance: the relay's reply was found after the lease had ended.
NEXT: Mapping[State, AbstractSet[State]] = {
    State.QUEUED: {State.QUEUED, State.SCHEDULED, State.RETRYING, State.CANCELLED, State.SENT},
    State.SCHEDULED: {
        *(State.QUEUED, State.SCHEDULED, State.SENDING, State.CANCELLED),
        *(State.SENT, State.EXPIRED),
    },
    State.SENDING: {
        State.QUEUED,  # rescheduled to the daily run; only before its body begins
        State.SCHEDULED,  # the claim was given up before the body began
        State.RETRYING,
        State.SENT,
        State.FAILED,
        State.UNCERTAIN,
        State.CANCELLED,  # only before its body begins
        State.EXPIRED,
        State.SUPPRESSED,
    },
    State.RETRYING: {
        State.QUEUED,
        State.SCHEDULED,  # retried by command without any attempt so far, then rescheduled
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
# A sent job keeps its key, so that a repeated request finds it instead of sending a second mail.
KEEPS_DEDUP_KEY = frozenset(State) - FINAL_STATES | {State.SENT}

REFUSAL_REASONS: Mapping[State, str] = {
    **dict.fromkeys(WAITING, "it waits to be sent; reschedule it instead"),
    State.SENDING: "it is claimed for sending; try again in a minute",
    State.UNCERTAIN: "the relay may have taken its mail; retry or resolve it",
    State.SENT: "its mail was sent",
    State.CANCELLED: "a cancelled job stays cancelled; send a new request",
    **dict.fromkeys((State.FAILED, State.EXPIRED, State.SUPPRESSED), "it has ended; retry it"),
}
RECIPIENT_FORGOTTEN = "its recipient was forgotten; send a new request"
BODY_HAS_BEGUN = "its body has begun, so the relay may have it; try again in a minute"

LEASE = timedelta(seconds=30)
# No body begins later: it would be under way when the sweep takes the job from its claim.
LEASE_LEFT_AT_BODY = timedelta(seconds=5)


class Job(Struct, frozen=True, kw_only=True):
    """One mail to one recipient. A change returns a new value with a higher `version`."""

    id: str  #: A UUIDv7, so that ids sort by creation.
    state: State  #: Where it is in its life.
    empid: str  #: The employee's id at the caller.
    email: str  #: The address it goes to; "" once the recipient was forgotten.
    message: str  #: The subject; the template may show it in the body too.
    name: str  #: The recipient's name; may be "".
    create_time: datetime  #: When the request was accepted.
    schedule_time: datetime  #: The second asked for, or the daily run's; not before create_time.
    due_time: datetime  #: When the service acts next: the schedule time, or that of a retry.
    expire_time: datetime  #: No attempt begins after it.
    state_time: datetime  #: When `state` was entered.
    message_id: str  #: The Message-ID header, the same in every attempt.
    dedup_key: str | None  #: Unique in the store: at most one job has it. None once released.
    released_key: str | None = None  #: The key it gave up; a retry takes it back.
    template: str = "doc"  #: The name of the template that composes the mail.
    variables: Mapping[str, str] = field(default_factory=dict)  #: The caller's template values.
    labels: Mapping[str, str] = field(default_factory=dict)  #: The caller's marks; not mailed.
    sender: str = ""  #: The key of its sender; "" for the default one.
    reply_to: str = ""  #: The Reply-To address; "" for none.
    request_id: str = ""  #: The caller's id of the request; "" if it gave none.
    fingerprint: str = ""  #: A digest of the content, to detect a reused request id.
    dedup_until: datetime | None = None  #: When another job may take its key; None: never.
    has_own_expire_time: bool = False  #: Its caller or its meeting set expire_time: it stays.
    meeting: MeetingMail | None = None  #: What its mail says about a meeting.
    client: str = ""  #: The client that scheduled it; "" if access was not controlled then.
    priority: Priority = Priority.NORMAL  #: Urgent jobs are claimed before the others.
    attempt: int = 0  #: How many attempts are used up; a relay's own failure uses none.
    lease_expirations: int = 0  #: How often the process that held its claim died.
    version: int = 0  #: Counts the changes; the etag is made of it.
    claim: str | None = None  #: The claim token while SENDING; a change must name it.
    begun: datetime | None = None  #: When the claim's process got the permit to write the body.
    date: datetime | None = None  #: The Date header, kept since a body may have left with it.
    reason: str = ""  #: Why it is in `state`; "" when the state explains itself.
    attempts: tuple[Attempt, ...] = ()  #: The latest attempts, oldest first.
    steps: tuple[Step, ...] = ()  #: The latest steps of callers, oldest first.

    @property
    def new_attempt(self) -> Attempt | None:
        """The attempt that led to this state; None if no attempt did."""
        last = self.attempts[-1] if self.attempts else None
        return last if last is not None and last.end_time == self.state_time else None

    @property
    def is_withdrawable(self) -> bool:
        """Whether it can still be cancelled or rescheduled: its body has not begun."""
        return self.state in WITHDRAWABLE and not self.has_begun

    @property
    def has_begun(self) -> bool:
        """Whether its body may be on the way to the relay now."""
        return self.state is State.SENDING and self.begun is not None

    @property
    def revision(self) -> MeetingRevision | None:
        """The meeting as its mail shows it."""
        return None if self.meeting is None else self.meeting.revision

    @property
    def is_erased(self) -> bool:
        """Whether its recipient was forgotten, so that no address is left."""
        return not self.email

    def sent(self, attempt: Attempt) -> "Job":
        return self._concluded(State.SENT, attempt, reason="")

    def failed(self, attempt: Attempt, *, reason: str, charged: bool = True) -> "Job":
        return self._concluded(State.FAILED, attempt, reason=reason, charged=charged)

    def expired(self, attempt: Attempt, *, reason: str, charged: bool) -> "Job":
        """End because the next attempt would be after ``expire_time``."""
        return self._concluded(State.EXPIRED, attempt, reason=reason, charged=charged)

    def skipped(self, state: State, now: datetime, *, reason: str) -> "Job":
        """End as EXPIRED, SUPPRESSED or FAILED without an attempt."""
        return self._released(state, now, reason=reason)

    def retried(self, attempt: Attempt, *, due_time: datetime, charged: bool) -> "Job":
        """Try again at *due_time*; *charged* says whether this outcome uses up an attempt."""
        job = self._concluded(State.RETRYING, attempt, reason=attempt.text, charged=charged)
        return replace(job, due_time=due_time)

    def held(self, attempt: Attempt, *, reason: str, charged: bool = True) -> "Job":
        """Hold it as UNCERTAIN until an operator decides."""
        return self._concluded(State.UNCERTAIN, attempt, reason=reason, charged=charged)

    def unclaimed(self, now: datetime) -> "Job":
        """Release a claim whose body never began; nothing is charged."""
        state = State.RETRYING if self.attempts else State.SCHEDULED
        return self._transition(state, now)

    def postponed(self, due_time: datetime, now: datetime) -> "Job":
        """Release a claim and wait until *due_time*; nothing is charged."""
        return replace(self.unclaimed(now), due_time=max(due_time, now))

    def cancelled(self, now: datetime, *, reason: str) -> "Job":
        """End before it is sent; the relay may have taken an earlier UNCERTAIN attempt.

        The holder of a claimed job finds at the fence, before the body, that it has lost the claim.
        """
        if not self.is_withdrawable:
            raise self.transition_error(State.CANCELLED)
        return self._released(State.CANCELLED, now, reason=reason)

    def rescheduled(
        self, schedule_time: datetime, now: datetime, *, is_daily: bool, expire_time: datetime
    ) -> "Job":
        """Wait for *schedule_time* instead; it may be sent until *expire_time* at least.

        An expire time that the caller set stays, unless it is before *schedule_time*. The dedup
        key stays: it is made of the schedule time of the first request.
        """
        timed = State.RETRYING if self.attempts else State.SCHEDULED
        state = State.QUEUED if is_daily else timed
        if not self.is_withdrawable:
            raise self.transition_error(state)
        keeps_own = self.has_own_expire_time and schedule_time <= self.expire_time
        return self._transition(
            state,
            now,
            schedule_time=schedule_time,
            due_time=schedule_time,
            expire_time=self.expire_time if keeps_own else max(self.expire_time, expire_time),
            date=find_date_to_keep(self),
        )

    def reset_for_retry(
        self, now: datetime, *, expire_time: datetime, dedup_until: datetime
    ) -> "Job":
        """Become due now with no attempts used up, and take the dedup key again.

        The history stays. An expire time that the caller set stays, unless it is over.
        """
        self._require_state(RETRYABLE, State.RETRYING)
        if self.is_erased:
            raise self.transition_error(State.RETRYING, why=RECIPIENT_FORGOTTEN)
        keeps_own = self.has_own_expire_time and now <= self.expire_time
        return self._transition(
            State.RETRYING,
            now,
            due_time=now.replace(microsecond=0),
            expire_time=self.expire_time if keeps_own else max(self.expire_time, expire_time),
            reason="",
            attempt=0,
            lease_expirations=0,
            dedup_key=self.released_key or self.dedup_key,
            dedup_until=self.dedup_until and dedup_until,
            released_key=None,
            date=find_date_to_keep(self),
        )

    def resolved(self, state: State, now: datetime, *, reason: str) -> "Job":
        """Settle an UNCERTAIN job: an operator found out that it is SENT or FAILED."""
        self._require_state((State.UNCERTAIN,), state)
        return self._released(state, now, reason=reason)

    def transition_error(self, target: State, *, why: str = "") -> IllegalTransition:
        """Return the error that says why it cannot become *target*."""
        why = why or (BODY_HAS_BEGUN if self.has_begun else REFUSAL_REASONS[self.state])
        error = IllegalTransition(self.id, self.state, target, state_time=self.state_time, why=why)
        return error if self.meeting is None else error.with_meeting(self.meeting.meeting_id)

    def _require_state(self, states: Collection[State], target: State) -> None:
        if self.state not in states:
            raise self.transition_error(target)

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
        """Leave the claim for *state*; give up the dedup key where that state does not keep it."""
        if state not in KEEPS_DEDUP_KEY:
            changes["dedup_key"] = None
            changes["released_key"] = self.released_key or self.dedup_key
        return self._transition(state, now, reason=reason, **changes)

    def _transition(self, state: State, now: datetime, **changes: Any) -> "Job":
        if state not in NEXT[self.state]:
            raise self.transition_error(state)
        changes |= {"state": state, "state_time": now, "version": self.version + 1}
        return replace(self, claim=None, begun=None, **changes)  # only the store claims
