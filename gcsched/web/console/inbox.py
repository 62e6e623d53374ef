"""What the inbox of `gcsched dev` is to the pages: the mails that were caught."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gcsched.web.console.mail_view import InlinePart


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxEntry:
    """One mail in the list. *job_id* is "" if no job of ours sent it."""

    id: str
    time: datetime
    recipients: tuple[str, ...]
    sender: str
    subject: str
    message_id: str
    job_id: str
    attachments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A part of a mail that a reader may save."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxMail:
    """A mail as a whole. *html* and *text* are None if it has no such part."""

    entry: InboxEntry
    headers: Sequence[tuple[str, str]]
    html: str | None
    text: str | None
    source: str
    parts: Mapping[str, InlinePart]
    attachments: Sequence[Attachment]


class Inbox(Protocol):
    """The mails that were caught, the newest first."""

    async def list_mails(
        self, *, words: str = "", recipient: str = "", before: str = "", most: int
    ) -> Sequence[InboxEntry]:
        """Return at most *most* mails that are older than the one with the id *before*.

        *words* are searched for in what a list shows; *recipient* is a whole address.
        """

    async def read_mail(self, mail_id: str) -> InboxMail | None:
        """Return the mail of that id, or None."""

    async def delete_mails(self, *, recipient: str = "") -> int:
        """Delete the mails to *recipient*, or all; return how many."""

    async def wait_for_mail(self, seconds: float) -> bool:
        """Wait until the next mail comes; return whether one came in time."""
