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
    Order,
    Outcome,
    Priority,
    Purpose,
    RelayState,
    State,
    View,
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
    "AuditEntry",
    "AuditFilter",
    "AuditOutcome",
    "BulkFilter",
    "CallFailed",
    "Client",
    "ClientClosed",
    "Daily",
    "DeadlineExceeded",
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
    "ResourceExhausted",
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
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "Validation",
    "View",
    "Violation",
    "channel_options",
    "service_config",
]
