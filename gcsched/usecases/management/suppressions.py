"""Block addresses by hand, free them, and list which ones get no mail."""

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from gcsched.domain.outcome import end_before_attempt
from gcsched.domain.suppression import Suppression
from gcsched.domain.token_bucket import MAX_SLOT_WAIT_SECONDS, SHARED_BUCKET_TIMEOUT_SECONDS
from gcsched.errors import UnknownSuppression
from gcsched.usecases.management.change_job import truncate_to_millisecond
from gcsched.usecases.management.partial_change import PartialChange, make_unchangeable_error
from gcsched.usecases.ports import Clock, InFlightJobs, SuppressionStore

LOOP_TURN_SECONDS = 0.5
BODY_START_WAIT_SECONDS = (
    MAX_SLOT_WAIT_SECONDS + 2 * SHARED_BUCKET_TIMEOUT_SECONDS + LOOP_TURN_SECONDS
)
"""How long after the fence the first octet of a body may come: 3 s.

Where mails have a rate, Redis has its time to answer, then the slot is waited for, as long as the
pacer's patience and once more Redis's time; then comes a turn of the loop.
"""
POLL_INTERVAL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionPage:
    """Suppressions in alphabetical order, and the address after which it goes on; "": all."""

    suppressions: list[Suppression]
    next_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ManageSuppressions:
    """*default_duration* is how long an address is blocked unless somebody says until when."""

    store: SuppressionStore
    jobs: InFlightJobs
    default_duration: timedelta
    now: Clock

    async def read_page(self, after: str, *, most: int) -> SuppressionPage:
        found = await self.store.read_page(after, most=most + 1, now=self.now())
        page = found[:most]
        next_address = page[-1].address if len(found) > most else ""
        return SuppressionPage(suppressions=page, next_address=next_address)

    async def find(self, address: str) -> Suppression:
        """Return what blocks *address*. Raises UnknownSuppression, StoreUnavailable."""
        found = await self.store.find_active([address], now=self.now())
        if address not in found:
            raise UnknownSuppression
        return found[address]

    async def add(self, address: str, *, reason: str, until: datetime | None) -> Suppression:
        """Block *address*: no claim may begin a body to it after this. Raises StoreUnavailable.

        A body that was allowed to begin before is waited for, as long as `_wait_for_begun_bodies` does.

        First the suppression, then the claims: what is claimed after the suppression was written
        meets it, as each claim is followed by a look at the suppressions.
        """
        now = truncate_to_millisecond(self.now())
        expire_time = until or now + self.default_duration
        suppression = Suppression(
            address=address, reason=reason, job_id="", create_time=now, expire_time=expire_time
        )
        stored = await self.store.add_one(suppression)
        await self._withdraw_claims(stored, now)
        return stored

    async def _withdraw_claims(self, stored: Suppression, now: datetime) -> None:
        claimed = await self.jobs.find_claimed(stored.address)
        ends = [
            (job, end_before_attempt(job, suppression=stored, now=now))
            for job in claimed
            if not job.has_begun
        ]
        pairs = [(job, ended) for job, ended in ends if ended is not None]
        try:
            withdrawn, missed = await self.jobs.change_all(pairs) if pairs else (0, 0)
        except PartialChange as error:  # those may get a mail: no success
            raise make_unchangeable_error(
                error.unchangeable, error.problem, changed=error.changed
            ) from error
        if withdrawn:
            structlog.get_logger().info("claims withdrawn", count=withdrawn, why="address blocked")
        if missed or any(job.has_begun for job in claimed):
            await self._wait_for_begun_bodies({(job.id, job.claim) for job in claimed})

    async def _wait_for_begun_bodies(self, claimed: Collection[tuple[str, str | None]]) -> None:
        """Wait until what was allowed to begin has been concluded, for three seconds at most.

        A body that was allowed to begin before cannot be stopped, but its first octet has left by
        then, unless its process stood still.
        """
        ids = [job_id for job_id, _ in claimed]
        until = time.monotonic() + BODY_START_WAIT_SECONDS
        while time.monotonic() < until:
            if not any(each in claimed for each in await self.jobs.find_begun(ids)):
                return
            await asyncio.sleep(POLL_INTERVAL_SECONDS)

    async def remove(self, address: str) -> Suppression:
        """Free *address*; give what blocked it. Raises UnknownSuppression, StoreUnavailable."""
        removed = await self.store.remove(address, now=self.now())
        if removed is None:
            raise UnknownSuppression
        return removed
