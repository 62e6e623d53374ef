"""The methods of the blocking client about the whole service."""

from collections.abc import Iterator
from typing import Unpack

from gcsched.client.blocking.connection import BlockingConnection
from gcsched.client.calls import service as calls
from gcsched.client.calls.service import AuditFilter
from gcsched.client.connection import BULK_TIMEOUT_SECONDS
from gcsched.client.results.records import AuditEntry
from gcsched.client.results.status import Pause, StatusReport
from gcsched.client.values import Health


class ServiceMethods(BlockingConnection):
    """Report on the service as a whole, and control its sending."""

    def status(self, *, timeout: float | None = None) -> StatusReport:
        """Return the state of the service, as the process that answers sees it.

        >>> report = gcsched.status()
        >>> [store.name for store in report.stores if not store.problem], report.pause
        (['mongodb', 'redis'], None)
        """
        return self._run(calls.status(), timeout)

    def watch_health(self) -> Iterator[Health]:
        """Iterate over the health of the service: what it is now, and whenever it changes.

        The iteration outlives restarts of the service, and ends when the client closes. Raises
        CallFailed if the peer is not such a service.

        >>> for health in gcsched.watch_health():
        ...     if health == Health.SERVING:
        ...         break
        """
        return self._watch()

    def run_daily_queue(self, *, timeout: float | None = BULK_TIMEOUT_SECONDS) -> int:
        """Make every job of the daily queue due now; return their number. Raises CallFailed.

        >>> queued = gcsched.count_jobs(state=State.QUEUED)
        >>> gcsched.run_daily_queue() == queued.count
        True
        """
        return self._run(calls.run_daily_queue(), timeout)

    def pause(self, *, by: str, reason: str, timeout: float | None = None) -> Pause:
        """Stop all processes from sending; calls are accepted and jobs wait. Raises CallFailed.

        >>> gcsched.pause(by="ada", reason="the relay moves").reason
        'the relay moves'
        """
        return self._run(calls.pause(by=by, reason=reason), timeout)

    def resume(self, *, by: str = "", timeout: float | None = None) -> Pause | None:
        """End the pause; return it, or None if there was none. Raises CallFailed.

        >>> gcsched.resume().by, gcsched.resume()
        ('ada', None)
        """
        return self._run(calls.resume(by=by), timeout)

    def list_audit(
        self, *, page_size: int = 0, timeout: float | None = None, **which: Unpack[AuditFilter]
    ) -> Iterator[AuditEntry]:
        """Iterate over what callers did to many jobs or to the whole service, the latest first.

        Entries are restricted by what is given, see AuditFilter. Raises CallFailed.

        >>> [entry.method for entry in gcsched.list_audit(from_time=0)][:2]
        ['ResumeSending', 'ResumeSending']
        """
        return self._iterate(calls.list_audit(page_size=page_size, **which), timeout)
