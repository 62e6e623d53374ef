"""Call a gcsched service from Python, blocking or with asyncio.

with Client() as gcsched:
    job = gcsched.schedule(empid="E1815", email="ada@example.org", message="Hi", at=DAILY)

A call has a time limit and is repeated after UNAVAILABLE, and after CANCELLED by a server that
ends. A repetition is the same job, never a second mail. (A service with GCSCHED_DEDUP=employee
refuses it: give a request_id there.) The client imports nothing of the server.
"""

from gcsched.client.argument_values import ScheduleTime
from gcsched.client.asynchronous.client import AsyncClient
from gcsched.client.blocking.client import Client
from gcsched.client.calls.jobs import BulkFilter, JobFilter
from gcsched.client.calls.meetings import (
    ChangeOptions,
    MeetingChanges,
    MeetingFields,
    MeetingFilter,
    MeetingOptions,
)
from gcsched.client.calls.records import PreviewFields, SampleMailFields
from gcsched.client.calls.scheduling import MailOptions, MailRequest, OptionalFields
from gcsched.client.calls.service import AuditFilter
from gcsched.client.connection import (
    BULK_TIMEOUT_SECONDS,
    TIMEOUT_SECONDS,
    AccessOptions,
    channel_options,
    service_config,
)
from gcsched.client.errors import (
    Aborted,
    AlreadyExists,
    CallFailed,
    ClientClosed,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    RefusedDuplicate,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)
from gcsched.client.event import Event, Person
from gcsched.client.results.jobs import (
    Attempt,
    Job,
    JobCount,
    Preview,
    ScheduledJob,
    Step,
    Validation,
)
from gcsched.client.results.meetings import (
    Attendee,
    CalendarFile,
    Effect,
    MailText,
    Meeting,
    MeetingStep,
    MeetingTexts,
    Reminder,
)
from gcsched.client.results.records import (
    AuditEntry,
    ForgottenRecipient,
    Recipient,
    Suppression,
    Template,
)
from gcsched.client.results.status import (
    Access,
    Lateness,
    Pause,
    Relay,
    Sending,
    StatusReport,
    Store,
)
from gcsched.client.tls import Tls
from gcsched.client.values import (
    DAILY,
    AttemptKind,
    AuditOutcome,
    Daily,
    Health,
    MeetingOrder,
    MeetingState,
    Order,
    Outcome,
    Priority,
    Purpose,
    RelayState,
    Role,
    State,
    Told,
    View,
    What,
)
from gcsched.errors import Violation

__all__ = [
    "BULK_TIMEOUT_SECONDS",
    "DAILY",
    "TIMEOUT_SECONDS",
    "Aborted",
    "Access",
    "AccessOptions",
    "AlreadyExists",
    "AsyncClient",
    "Attempt",
    "AttemptKind",
    "Attendee",
    "AuditEntry",
    "AuditFilter",
    "AuditOutcome",
    "BulkFilter",
    "CalendarFile",
    "CallFailed",
    "ChangeOptions",
    "Client",
    "ClientClosed",
    "Daily",
    "DeadlineExceeded",
    "Effect",
    "Event",
    "FailedPrecondition",
    "ForgottenRecipient",
    "Health",
    "InvalidArgument",
    "Job",
    "JobCount",
    "JobFilter",
    "Lateness",
    "MailOptions",
    "MailRequest",
    "MailText",
    "Meeting",
    "MeetingChanges",
    "MeetingFields",
    "MeetingFilter",
    "MeetingOptions",
    "MeetingOrder",
    "MeetingState",
    "MeetingStep",
    "MeetingTexts",
    "NotFound",
    "OptionalFields",
    "Order",
    "Outcome",
    "Pause",
    "PermissionDenied",
    "Person",
    "Preview",
    "PreviewFields",
    "Priority",
    "Purpose",
    "Recipient",
    "RefusedDuplicate",
    "Relay",
    "RelayState",
    "Reminder",
    "ResourceExhausted",
    "Role",
    "SampleMailFields",
    "ScheduleTime",
    "ScheduledJob",
    "Sending",
    "State",
    "StatusReport",
    "Step",
    "Store",
    "Suppression",
    "Template",
    "Tls",
    "Told",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "Validation",
    "View",
    "Violation",
    "What",
    "channel_options",
    "service_config",
]
