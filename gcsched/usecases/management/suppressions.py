"""Suppressions by hand: add them, remove them, and list the addresses that get no mail."""

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from gcsched.domain.actor import Actor
from gcsched.domain.job_steps import add_step
from gcsched.domain.outcome import end_before_attempt
from gcsched.domain.suppression import Suppression
from gcsched.domain.token_bucket import MAX_SLOT_WAIT_SECONDS, SHARED_BUCKET_TIMEOUT_SECONDS
from gcsched.errors import UnknownSuppression
from gcsched.usecases.management.partial_change import PartialChange, make_unchangeable_error
from gcsched.usecases.ports import Clock, InFlightJobs, SuppressionStore
from gcsched.usecases.stored_time import truncate_to_millisecond

LOOP_TURN_SECONDS = 0.5
BODY_START_WAIT_SECONDS = (
    MAX_SLOT_WAIT_SECONDS + 2 * SHARED_BUCKET_TIMEOUT_SECONDS + LOOP_TURN_SECONDS
)
"""The longest time from the fence to the first octet of a body: 3 s.

Under a rate limit, Redis has its time limit to answer, then the mail waits for its slot, at most
MAX_SLOT_WAIT_SECONDS and once more the time limit of Redis; then comes a turn of the event loop.
"""
POLL_INTERVAL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionPage:
    """Suppressions in alphabetical order; the next page follows *next_address*, "" at the end."""

    suppressions: list[Suppression]
    next_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ManageSuppressions:
    """Manages suppressions; one without an expire time lasts for *default_duration*."""

    store: SuppressionStore
    jobs: InFlightJobs
    default_duration: timedelta
    now: Clock

    async def read_page(self, after: str, *, most: int) -> SuppressionPage:
        """Return at most *most* suppressions that follow the address *after*."""
        found = await self.store.read_page(after, most=most + 1, now=self.now())
        page = found[:most]
        next_address = page[-1].address if len(found) > most else ""
        return SuppressionPage(suppressions=page, next_address=next_address)

    async def find(self, address: str) -> Suppression:
        """Return the suppression of *address*. Raises UnknownSuppression, StoreUnavailable."""
        found = await self.store.find_active([address], now=self.now())
        if address not in found:
            raise UnknownSuppression
        return found[address]

    async def add(
        self, address: str, *, reason: str, until: datetime | None, actor: Actor
    ) -> Suppression:
        """Suppress *address*: no body to it begins after this returns. Raises StoreUnavailable.

        A body that got its permit before is waited for, see `_wait_for_begun_bodies`.
        The jobs that this ends have a step of *actor*.

        The suppression is stored before claims are withdrawn: each claim is followed by a read of
        the suppressions, so a job that is claimed after the write is covered by that read.
        """
        now = truncate_to_millisecond(self.now())
        expire_time = until or now + self.default_duration
        suppression = Suppression(
            address=address, reason=reason, job_id="", create_time=now, expire_time=expire_time
        )
        stored = await self.store.add_one(suppression)
        await self._withdraw_claims(stored, now, actor)
        return stored

    async def _withdraw_claims(self, stored: Suppression, now: datetime, actor: Actor) -> None:
        claimed = await self.jobs.find_claimed(stored.address)
        ends = [
            (job, end_before_attempt(job, suppression=stored, now=now))
            for job in claimed
            if not job.has_begun
        ]
        pairs = [
            (job, add_step(job, ended, actor, reason=stored.reason))
            for job, ended in ends
            if ended is not None
        ]
        try:
            withdrawn, missed = await self.jobs.change_all(pairs) if pairs else (0, 0)
        except PartialChange as error:  # those jobs may still be sent: not a success
            raise make_unchangeable_error(
                error.unchangeable, error.problem, changed=error.changed
            ) from error
        if withdrawn:
            structlog.get_logger().info(
                "claims withdrawn", count=withdrawn, reason="address suppressed"
            )
        if missed or any(job.has_begun for job in claimed):
            await self._wait_for_begun_bodies({(job.id, job.claim) for job in claimed})

    async def _wait_for_begun_bodies(self, claimed: Collection[tuple[str, str | None]]) -> None:
        """Wait until the jobs that had a permit are concluded, for three seconds at most.

        Such a body cannot be stopped, but its first octet has left by then, unless its process was
        suspended.
        """
        ids = [job_id for job_id, _ in claimed]
        until = time.monotonic() + BODY_START_WAIT_SECONDS
        while time.monotonic() < until:
            if not any(each in claimed for each in await self.jobs.find_begun(ids)):
                return
            await asyncio.sleep(POLL_INTERVAL_SECONDS)

    async def remove(self, address: str) -> Suppression:
        """Remove the suppression of *address*. Raises UnknownSuppression, StoreUnavailable."""
        removed = await self.store.remove(address, now=self.now())
        if removed is None:
            raise UnknownSuppression
        return removed
