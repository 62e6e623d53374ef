"""The port of the audit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gcsched.domain.audit import AuditEntry, AuditFilter

OnCount = Callable[[int], None]
"""Called with how many jobs an act has changed so far, also if it fails later."""


def ignore_count(_: int) -> None:
    """Do nothing: the default where no caller wants the number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """Entries, the latest first; the next page follows the id *next_after*, "" at the end."""

    entries: tuple[AuditEntry, ...]
    next_after: str


class AuditStore(Protocol):
    """The store of audit entries."""

    async def insert(self, entry: AuditEntry) -> None:
        """Store *entry*, which has not ended; a repeated call is harmless."""

    async def complete(self, entries: Sequence[AuditEntry]) -> None:
        """Store how *entries* have ended; those that were never stored are left out."""

    async def read_page(self, entry_filter: AuditFilter, after: str, *, most: int) -> AuditPage:
        """Return at most *most* entries that follow the one with the id *after*."""
