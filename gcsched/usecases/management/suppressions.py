"""Block addresses by hand, free them, and list which ones get no mail."""

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from gcsched.domain.outcome import before_attempt
from gcsched.domain.suppression import Suppression
from gcsched.domain.token_bucket import SHARED_ANSWERS_WITHIN_SECONDS, SLOT_PATIENCE_SECONDS
from gcsched.errors import UnknownSuppression
from gcsched.usecases.management.change_job import whole_millisecond
from gcsched.usecases.management.partly import PartlyChanged, some_stay
from gcsched.usecases.ports import BlockedAddresses, ClaimedJobs, Clock

FOR_A_TURN_SECONDS = 0.5
FOR_A_BODY_TO_BEGIN_SECONDS = (
    SLOT_PATIENCE_SECONDS + 2 * SHARED_ANSWERS_WITHIN_SECONDS + FOR_A_TURN_SECONDS
)
"""How long after the fence the first octet of a body may come: 3 s.

Where mails have a rate, Redis has its time to answer, then the slot is waited for, as long as the
pacer's patience and once more Redis's time; then comes a turn of the loop.
"""
BETWEEN_LOOKS_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedPage:
    """Suppressions in alphabetical order, and the address after which it goes on; "": all."""

    suppressions: list[Suppression]
    following: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocklist:
    """*lasting* is how long an address is blocked unless somebody says until when."""

    store: BlockedAddresses
    jobs: ClaimedJobs
    lasting: timedelta
    now: Clock

    async def page(self, after: str, *, most: int) -> BlockedPage:
        found = await self.store.page(after, most=most + 1, now=self.now())
        shown = found[:most]
        following = shown[-1].address if len(found) > most else ""
        return BlockedPage(suppressions=shown, following=following)

    async def find(self, address: str) -> Suppression:
        """Return what blocks *address*. Raises UnknownSuppression, StoreUnavailable."""
        found = await self.store.among([address], now=self.now())
        if address not in found:
            raise UnknownSuppression
        return found[address]

    async def block(self, address: str, *, reason: str, until: datetime | None) -> Suppression:
        """Block *address*: no claim may begin a body to it after this. Raises StoreUnavailable.

        A body that was allowed to begin before is waited for, as long as `_let_bodies_begin` does.

        First the suppression, then the claims: what is claimed after the suppression was written
        meets it, as each claim is followed by a look at the suppressions.
        """
        now = whole_millisecond(self.now())
        end = until or now + self.lasting
        wanted = Suppression(address=address, reason=reason, job_id="", create_time=now, expire_time=end)
        blocked = await self.store.block(wanted)
        await self._withdraw_claims(blocked, now)
        return blocked

    async def _withdraw_claims(self, blocked: Suppression, now: datetime) -> None:
        claimed = await self.jobs.claimed(blocked.address)
        ends = [
            (job, before_attempt(job, suppression=blocked, now=now))
            for job in claimed
            if not job.has_begun
        ]
        pairs = [(job, ended) for job, ended in ends if ended is not None]
        try:
            withdrawn, missed = await self.jobs.change_all(pairs) if pairs else (0, 0)
        except PartlyChanged as error:  # those may get a mail: no success
            raise some_stay(error.stuck, error.problem, changed=error.changed) from error
        if withdrawn:
            structlog.get_logger().info("claims withdrawn", count=withdrawn, why="address blocked")
        if missed or any(job.has_begun for job in claimed):
            await self._let_bodies_begin({(job.id, job.claim) for job in claimed})

    async def _let_bodies_begin(self, claimed: Collection[tuple[str, str | None]]) -> None:
        """Wait until what was allowed to begin has been concluded, for three seconds at most.

        A body that was allowed to begin before cannot be stopped, but its first octet has left by
        then, unless its process stood still.
        """
        ids = [job_id for job_id, _ in claimed]
        until = time.monotonic() + FOR_A_BODY_TO_BEGIN_SECONDS
        while time.monotonic() < until:
            if not any(each in claimed for each in await self.jobs.still_begun(ids)):
                return
            await asyncio.sleep(BETWEEN_LOOKS_SECONDS)

    async def free(self, address: str) -> Suppression:
        """Free *address*; give what blocked it. Raises UnknownSuppression, StoreUnavailable."""
        freed = await self.store.free(address, now=self.now())
        if freed is None:
            raise UnknownSuppression
        return freed
