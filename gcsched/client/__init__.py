"""Call a gcsched service from Python, blocking or with asyncio.

with Client("localhost:50051") as gcsched:
    job = gcsched.schedule_meet(empid="E1815", email="ada@example.org", message="Hi", at=None)
"""

from gcsched.client.client import (
    TIMEOUT_SECONDS,
    AccessOptions,
    AsyncClient,
    Client,
    OptionalFields,
    ScheduledJob,
    channel_options,
    service_config,
)
from gcsched.client.errors import (
    CallFailed,
    DeadlineExceeded,
    InvalidArgument,
    ResourceExhausted,
    Unavailable,
)
from gcsched.client.tls import Tls
from gcsched.errors import Violation

__all__ = [
    "TIMEOUT_SECONDS",
    "AccessOptions",
    "AsyncClient",
    "CallFailed",
    "Client",
    "DeadlineExceeded",
    "InvalidArgument",
    "OptionalFields",
    "ResourceExhausted",
    "ScheduledJob",
    "Tls",
    "Unavailable",
    "Violation",
    "channel_options",
    "service_config",
]
