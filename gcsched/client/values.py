"""The contract's names of states, outcomes and the like, as strings that a caller can compare.

A result has plain strings: a service that is newer than this client may answer with a value that
is not listed here, which is then its number as a string, such as "11". Pure.
"""

from enum import Enum, StrEnum
from typing import Final, Literal


class Daily(Enum):
    """The type of DAILY."""

    DAILY = "DAILY"

    def __repr__(self) -> str:
        return "DAILY"


DAILY: Final[Literal[Daily.DAILY]] = Daily.DAILY
"""In the place of a time: the next daily run."""


class State(StrEnum):
    """What a job is waiting for, or how it ended."""

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


class Outcome(StrEnum):
    """What a request came to."""

    CREATED = "CREATED"
    REPLAYED = "REPLAYED"
    QUEUED_FOR_DAILY = "QUEUED_FOR_DAILY"
    REFUSED_DUPLICATE = "REFUSED_DUPLICATE"


class Priority(StrEnum):
    """Which of the mails that are due is sent first."""

    NORMAL = "NORMAL"
    URGENT = "URGENT"


class Purpose(StrEnum):
    """What a mail about a meeting is for."""

    INVITATION = "INVITATION"
    UPDATE = "UPDATE"
    CANCELLATION = "CANCELLATION"
    REMINDER = "REMINDER"


class MeetingState(StrEnum):
    """Whether a meeting takes place."""

    SCHEDULED = "SCHEDULED"
    CANCELLED = "CANCELLED"


class Role(StrEnum):
    """How much an attendee is needed."""

    REQUIRED = "REQUIRED"
    OPTIONAL = "OPTIONAL"
    INFORMED = "INFORMED"


class Told(StrEnum):
    """What is known of the mails that an attendee got about a meeting."""

    NOTHING = "NOTHING"
    MAYBE = "MAYBE"
    SURE = "SURE"


class What(StrEnum):
    """What a call does about the mails to an attendee."""

    NOTHING = "NOTHING"
    MAKES = "MAKES"
    CHANGES = "CHANGES"
    CANCELS = "CANCELS"


class View(StrEnum):
    """How much of a job or a meeting a list returns."""

    BASIC = "BASIC"
    FULL = "FULL"


class Order(StrEnum):
    """The order of a list of jobs."""

    CREATE_TIME_DESC = "CREATE_TIME_DESC"
    CREATE_TIME_ASC = "CREATE_TIME_ASC"
    DUE_TIME_ASC = "DUE_TIME_ASC"
    DUE_TIME_DESC = "DUE_TIME_DESC"


class MeetingOrder(StrEnum):
    """The order of a list of meetings."""

    CREATE_TIME_DESC = "CREATE_TIME_DESC"
    CREATE_TIME_ASC = "CREATE_TIME_ASC"
    START_TIME_ASC = "START_TIME_ASC"
    START_TIME_DESC = "START_TIME_DESC"


class AttemptKind(StrEnum):
    """What an attempt came to."""

    ACCEPTED = "ACCEPTED"
    DEFERRED = "DEFERRED"
    RECIPIENT = "RECIPIENT"
    CONTENT = "CONTENT"
    POLICY = "POLICY"
    RELAY = "RELAY"
    UNCERTAIN = "UNCERTAIN"


class RelayState(StrEnum):
    """Whether a relay can be used."""

    UNKNOWN = "UNKNOWN"
    UP = "UP"
    FAILED = "FAILED"
    DOWN = "DOWN"


class AuditOutcome(StrEnum):
    """How an act in the audit ended."""

    STARTED = "STARTED"
    DONE = "DONE"
    ERROR = "ERROR"


class Health(StrEnum):
    """Whether a service takes calls. UNREACHABLE: it cannot be asked."""

    SERVING = "SERVING"
    NOT_SERVING = "NOT_SERVING"
    UNREACHABLE = "UNREACHABLE"
