"""Mails to send, and permits to send them with."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gcsched.domain import permit
from gcsched.domain.mail import Mail

CONTENT = (
    b"From: Team <team@example.org>\r\n"
    b"To: ada@example.org\r\n"
    b"Subject: Stand-up\r\n"
    b"Message-ID: <1@example.org>\r\n"
    b"\r\n"
    b"Ten o'clock, as always.\r\n"
)


def a_mail(**others: Any) -> Mail:
    defaults = {"sender": "team@example.org", "recipient": "ada@example.org", "content": CONTENT}
    return Mail(**{**defaults, **others})


@dataclass
class GrantPermit:
    """Grants the permit to send a body, and counts its calls."""

    seconds: float = 25.0
    date: datetime = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    calls: int = 0

    async def __call__(self) -> permit.Permit:
        self.calls += 1
        return permit.Permit(until=time.monotonic() + self.seconds, date=self.date)


async def refuse_permit() -> None:
    """Return no permit, as Begin does for a job that another process has claimed."""
