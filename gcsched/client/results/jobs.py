"""Jobs, and what requests for them came to. The fields have the contract's names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gcsched.client.results.records import Suppression


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledJob:
    """An accepted request; a repeated one has the same id and is equal.

    *outcome* and *state* are the contract's names, *due_time* is when the service acts next on the
    job. *meeting_id* is the meeting that it invites to, and *time_note* says what a change of
    clocks made of the times of that. All of these are empty if the service is older than them.
    """

    job_id: str
    outcome: str = field(default="", compare=False)
    due_time: datetime | None = field(default=None, compare=False)
    state: str = field(default="", compare=False)
    meeting_id: str = field(default="", compare=False)
    time_note: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """How a mail would look."""

    subject: str = ""
    text: str = ""
    html: str = ""
    size_bytes: int = 0
    duplicate_of: str = ""
    suppression: Suppression | None = None
    sender: str = ""
    calendar: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What a valid request would come to: *success* is whether it would be accepted."""

    success: bool
    outcome: str = ""
    due_time: datetime | None = None
    state: str = ""
    preview: Preview = field(default_factory=Preview)
    time_note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One conversation with a relay about a job; *kind* is one of AttemptKind."""

    start_time: datetime | None = None
    end_time: datetime | None = None
    kind: str = ""
    relay: str = ""
    code: int = 0
    enhanced_code: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step that a caller took on a job: who cancelled, rescheduled, retried or resolved it."""

    time: datetime | None = None
    client: str = ""
    via: str = ""
    method: str = ""
    previous_state: str = ""
    state: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One mail to one recipient, from the request to its final state.

    *state* is one of State, *priority* one of Priority. *message*, *variables*, *attempts* and
    *steps* are empty in the view BASIC. *meeting_id* is the meeting that its mail is about, and
    *purpose* one of Purpose; both are empty for a mail without a meeting.
    """

    job_id: str
    state: str = ""
    etag: str = ""
    empid: str = ""
    email: str = ""
    name: str = ""
    message: str = ""
    template: str = ""
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    priority: str = "NORMAL"
    reply_to: str = ""
    create_time: datetime | None = None
    schedule_time: datetime | None = None
    due_time: datetime | None = None
    expire_time: datetime | None = None
    state_time: datetime | None = None
    reason: str = ""
    attempt: int = 0
    lease_expirations: int = 0
    message_id: str = ""
    request_id: str = ""
    attempts: tuple[Attempt, ...] = ()
    client: str = ""
    sender: str = ""
    steps: tuple[Step, ...] = ()
    meeting_id: str = ""
    purpose: str = ""
    sequence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCount:
    """How many jobs match, at most 10,000; *has_more* is whether there are more than that."""

    count: int
    has_more: bool = False
