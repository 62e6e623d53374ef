"""The acts on many jobs and on the whole service, each with its audit entry.

Every entrance calls these, not the use cases themselves, so that no act is left out.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from gcsched.domain import audit as topics
from gcsched.domain.actor import Actor
from gcsched.domain.audit import Topic
from gcsched.domain.pause import Pause
from gcsched.domain.suppression import Suppression
from gcsched.errors import StoreUnavailable
from gcsched.usecases.audit import Audit
from gcsched.usecases.management.bulk_change import ApplyBulkChange, BulkChange
from gcsched.usecases.management.recipients import ForgetResult, ManageRecipients
from gcsched.usecases.management.suppressions import ManageSuppressions
from gcsched.usecases.recovery.daily_run import DailyRun
from gcsched.usecases.relays.sending_pause import PausableTransport


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedBulkChange:
    """Changes all jobs of a filter; a dry run changes nothing and leaves no entry."""

    audit: Audit
    change_jobs: ApplyBulkChange

    async def apply(self, change: BulkChange, *, actor: Actor, within: timedelta) -> int:
        """Do what `ApplyBulkChange.apply` does, as one act."""
        if change.is_dry_run:
            return await self.change_jobs.apply(change, actor=actor, within=within)
        topic = topics.about_jobs(change.filter)
        async with self.audit.record(actor, topic, within=within, keeps_trying=True) as act:
            return await self.change_jobs.apply(
                change, actor=actor, within=act.time_left, on_count=act.set_count
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedSending:
    """Runs the daily queue, pauses sending and resumes it."""

    audit: Audit
    daily_run: DailyRun
    pausing: PausableTransport

    async def run_daily_queue(self, *, actor: Actor, within: timedelta) -> int:
        """Do what `DailyRun.run_now` does, as one act. Raises StoreUnavailable."""
        async with (
            self.audit.record(actor, Topic(), within=within) as act,
            limit(act.time_left, "running the daily queue"),
        ):
            return await self.daily_run.run_now(on_count=act.set_count)

    async def pause(self, pause: Pause, *, actor: Actor, within: timedelta) -> Pause:
        """Do what `PausableTransport.pause_sending` does, as one act."""
        async with self.audit.record(actor, topics.about_pause(pause), within=within) as act:
            stored = await self.pausing.pause_sending(pause, within=act.time_left)
            act.count = 1
            return stored

    async def resume(self, by: str, *, actor: Actor, within: timedelta) -> Pause | None:
        """Do what `PausableTransport.resume_sending` does, as one act."""
        async with self.audit.record(actor, topics.about_resumption(by), within=within) as act:
            ended = await self.pausing.resume_sending(by, within=act.time_left)
            act.count = int(ended is not None)
            return ended


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedSuppressions:
    """Adds and removes suppressions."""

    audit: Audit
    suppressions: ManageSuppressions

    async def add(
        self,
        address: str,
        *,
        reason: str,
        until: datetime | None,
        actor: Actor,
        within: timedelta,
    ) -> Suppression:
        """Do what `ManageSuppressions.add` does, as one act."""
        topic = topics.about_address(address, until=until)
        async with self.audit.record(actor, topic, within=within) as act:
            async with limit(act.time_left, "adding a suppression"):
                added = await self.suppressions.add(
                    address, reason=reason, until=until, actor=actor
                )
            act.count = 1
            return added

    async def remove(self, address: str, *, actor: Actor, within: timedelta) -> Suppression:
        """Do what `ManageSuppressions.remove` does, as one act."""
        topic = topics.about_address(address)
        async with self.audit.record(actor, topic, within=within) as act:
            async with limit(act.time_left, "removing a suppression"):
                removed = await self.suppressions.remove(address)
            act.count = 1
            return removed


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedRecipients:
    """Erases the personal data of employees."""

    audit: Audit
    recipients: ManageRecipients

    async def forget(self, empid: str, *, actor: Actor, within: timedelta) -> ForgetResult:
        """Do what `ManageRecipients.forget` does, as one act."""
        topic = topics.about_employee(empid)
        async with self.audit.record(actor, topic, within=within) as act:
            async with limit(act.time_left, "forgetting a recipient"):
                forgotten = await self.recipients.forget(empid, on_count=act.set_count)
            act.count += int(forgotten.details_erased)
            return forgotten


@asynccontextmanager
async def limit(within: timedelta, doing: str) -> AsyncIterator[None]:
    """Limit the block to *within*; *doing* describes it in the StoreUnavailable."""
    try:
        async with asyncio.timeout(within.total_seconds()):
            yield
    except TimeoutError as error:
        raise StoreUnavailable(doing) from error
