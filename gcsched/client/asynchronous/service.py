"""The methods of the asyncio client about the whole service."""

from collections.abc import AsyncIterator
from typing import Unpack

from gcsched.client.asynchronous.connection import AsyncConnection
from gcsched.client.calls import service as calls
from gcsched.client.calls.service import AuditFilter
from gcsched.client.connection import BULK_TIMEOUT_SECONDS
from gcsched.client.results.records import AuditEntry
from gcsched.client.results.status import Pause, StatusReport
from gcsched.client.values import Health


class AsyncServiceMethods(AsyncConnection):
    """Report on the service as a whole, and control its sending."""

    async def status(self, *, timeout: float | None = None) -> StatusReport:
        """Do what Client.status does."""
        return await self._run(calls.status(), timeout)

    def watch_health(self) -> AsyncIterator[Health]:
        """Do what Client.watch_health does."""
        return self._watch()

    async def run_daily_queue(self, *, timeout: float | None = BULK_TIMEOUT_SECONDS) -> int:
        """Do what Client.run_daily_queue does."""
        return await self._run(calls.run_daily_queue(), timeout)

    async def pause(self, *, by: str, reason: str, timeout: float | None = None) -> Pause:
        """Do what Client.pause does."""
        return await self._run(calls.pause(by=by, reason=reason), timeout)

    async def resume(self, *, by: str = "", timeout: float | None = None) -> Pause | None:
        """Do what Client.resume does."""
        return await self._run(calls.resume(by=by), timeout)

    def list_audit(
        self, *, page_size: int = 0, timeout: float | None = None, **which: Unpack[AuditFilter]
    ) -> AsyncIterator[AuditEntry]:
        """Do what Client.list_audit does."""
        return self._iterate(calls.list_audit(page_size=page_size, **which), timeout)
