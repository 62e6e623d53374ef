"""An employee, as callers told of him."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """*accepted* counts the invitations; name and address are those of the latest."""

    empid: str
    name: str
    email: str
    first_seen: datetime
    last_seen: datetime
    accepted: int
