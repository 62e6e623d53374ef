"""Test an application that calls gcsched: a fake service, and a real one that delivers nothing.

    from gcsched.testing import FakeScheduler

    with FakeScheduler() as fake, Client(fake.target) as gcsched:
        ...

pytest has both as fixtures, `gcsched_fake` and `gcsched_service` (docs/testing.md). pytest loads
this package in every run, so it imports its modules when they are used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gcsched.testing.extras import TESTING, require_extra

if TYPE_CHECKING:
    from gcsched.testing.failures import Failure
    from gcsched.testing.fake import FakeScheduler
    from gcsched.testing.mails import ReceivedMail
    from gcsched.testing.records import RecordedCall, ScheduledRequest
    from gcsched.testing.service import RunningService

__all__ = [
    "Failure",
    "FakeScheduler",
    "ReceivedMail",
    "RecordedCall",
    "RunningService",
    "ScheduledRequest",
]

MODULES = {
    "Failure": "failures",
    "FakeScheduler": "fake",
    "ReceivedMail": "mails",
    "RecordedCall": "records",
    "RunningService": "service",
    "ScheduledRequest": "records",
}


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with require_extra(TESTING, user=__name__):
        return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
