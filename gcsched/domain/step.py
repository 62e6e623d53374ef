"""A step that a caller took on a job: who did what, and when. Pure."""

from datetime import datetime

from msgspec import Struct

MAX_STEPS = 20  # the latest ones of a job are kept


class Step(Struct, frozen=True, kw_only=True):
    """One step on one job, stored in the same write as the change that it made."""

    time: datetime
    client: str  #: The client as the service has verified it.
    via: str  #: The way by which the call came: `grpc`.
    method: str  #: The method of the contract: `CancelJob`, or `CancelJobs`.
    previous_state: str
    state: str
    reason: str = ""  #: The reason that the caller gave.
