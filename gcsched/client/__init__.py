"""Call a gcsched service from Python, blocking or with asyncio.

with Client("localhost:50051") as gcsched:
job = gcsched.schedule_meet(empid="E1815", email="ada@example.org", message="Hi", at=None)
"""

from gcsched.client.client import (
    TIMEOUT_SECONDS,
    AsyncClient,
    Client,
    ScheduledJob,
    OptionalFields,
    channel_options,
    service_config,
)
from gcsched.client.errors import (
    CallFailed,
    InvalidArgument,
    ResourceExhausted,
    DeadlineExceeded,
    Unavailable,
)
from gcsched.errors import Violation

__all__ = [
    "TIMEOUT_SECONDS",
    "AsyncClient",
    "CallFailed",
    "Client",
    "InvalidArgument",
    "ResourceExhausted",
    "ScheduledJob",
    "DeadlineExceeded",
    "Unavailable",
    "Violation",
    "OptionalFields",
    "channel_options",
    "service_config",
]
