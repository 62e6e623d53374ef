"""Sent markers: which mails the relay accepted, stored before their outcomes.

After a crash between the relay's reply and the outcome, a marker turns UNCERTAIN into SENT.
"""

import asyncio
from collections.abc import Iterable
from functools import partial

import structlog

from gcsched.errors import RedisUnavailable
from gcsched.usecases.loops import flush_until, sleep_unless
from gcsched.usecases.ports import Conclusion, SentMarkerStore

MAX_WAITING = 5_000
BACK_OFF_SECONDS = 1.0
# One command for several markers, and as a rule written before the session passes its next fence:
# then a process that is killed leaves one mail for each session UNCERTAIN, and not two.
LINGER_SECONDS = 0.001


class SentMarkers:
    """Writes markers to Redis in the background, without delaying a delivery.

    Losing a marker loses no mail: after a crash the job is UNCERTAIN instead of SENT.
    """

    def __init__(self, store: SentMarkerStore) -> None:
        self._store = store
        self._to_add: dict[tuple[str, str], None] = {}
        self._to_remove: list[tuple[str, str]] = []
        self._requested = asyncio.Event()

    def add(self, conclusion: Conclusion) -> None:
        """Add a marker for *conclusion*, unless MAX_WAITING markers wait already."""
        if len(self._to_add) < MAX_WAITING:
            self._to_add[conclusion.job.id, conclusion.claim] = None
            self._requested.set()

    def remove(self, conclusions: Iterable[Conclusion]) -> None:
        """Remove the markers once the outcomes are stored, or do not write them at all."""
        for conclusion in conclusions:
            marker = (conclusion.job.id, conclusion.claim)
            if marker in self._to_add:
                del self._to_add[marker]
            elif len(self._to_remove) < MAX_WAITING:
                self._to_remove.append(marker)
                self._requested.set()

    async def run(self, stop: asyncio.Event) -> None:
        await flush_until(stop, partial(self._write, stop), requested=self._requested)

    async def _write(self, stop: asyncio.Event) -> None:
        await sleep_unless(stop, LINGER_SECONDS)
        to_add, self._to_add = list(self._to_add), {}
        to_remove, self._to_remove = self._to_remove, []
        try:
            if to_add or to_remove:
                await self._store.write(added=to_add, removed=to_remove)
        except RedisUnavailable as error:
            # Not retried: a marker that stays expires, and by now the outcome is probably stored.
            structlog.get_logger().debug("sent markers not written", error=error.for_log)
            await sleep_unless(stop, BACK_OFF_SECONDS)
