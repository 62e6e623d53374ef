"""Block addresses by hand, free them, and list which ones get no mail."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from gcsched.domain.suppression import Suppression
from gcsched.errors import UnknownSuppression
from gcsched.usecases.ports import Clock


class BlockedAddresses(Protocol):
    async def page(self, after: str, *, most: int, now: datetime) -> list[Suppression]:
        """Give the *most* addresses that follow *after*, of those that are blocked at *now*."""

    async def block(self, wanted: Suppression) -> Suppression:
        """Keep *wanted*; where its address is blocked already, it has been since then."""

    async def free(self, address: str, *, now: datetime) -> Suppression | None:
        """Let *address* have mail again; give what blocked it, if anything did at *now*."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedPage:
    """Suppressions in alphabetical order, and the address after which it goes on; "": all."""

    suppressions: list[Suppression]
    following: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocklist:
    """*lasting* is how long an address is blocked unless somebody says until when."""

    store: BlockedAddresses
    lasting: timedelta
    now: Clock

    async def page(self, after: str, *, most: int) -> BlockedPage:
        found = await self.store.page(after, most=most + 1, now=self.now())
        shown = found[:most]
        following = shown[-1].address if len(found) > most else ""
        return BlockedPage(suppressions=shown, following=following)

    async def block(self, address: str, *, reason: str, until: datetime | None) -> Suppression:
        now = self.now()
        end = until or now + self.lasting
        wanted = Suppression(address=address, reason=reason, job_id="", since=now, until=end)
        return await self.store.block(wanted)

    async def free(self, address: str) -> Suppression:
        """Free *address*; give what blocked it. Raises UnknownSuppression, StoreUnavailable."""
        freed = await self.store.free(address, now=self.now())
        if freed is None:
            raise UnknownSuppression
        return freed
