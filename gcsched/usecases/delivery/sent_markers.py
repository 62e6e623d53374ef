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
LINGER_SECONDS = 0.001  # one command for the markers of several sessions
SETTLE_SECONDS = 0.01


class SentMarkers:
    """Writes markers to Redis in the background.

    Losing a marker loses no mail: after a crash the job is UNCERTAIN instead of SENT. So a delivery
    waits for them in one place only, and not for long: `settle`.
    """

    def __init__(self, store: SentMarkerStore) -> None:
        self._store = store
        self._to_add: dict[tuple[str, str], None] = {}
        self._to_remove: list[tuple[str, str]] = []
        self._requested = asyncio.Event()
        self._next_write: asyncio.Future[None] | None = None
        self._current_write: asyncio.Future[None] | None = None
        self._is_prompt = True

    def add(self, conclusion: Conclusion) -> None:
        """Add a marker for *conclusion*, unless MAX_WAITING markers wait already."""
        if len(self._to_add) < MAX_WAITING:
            self._to_add[conclusion.job.id, conclusion.claim] = None
            self._next_write = self._next_write or asyncio.get_running_loop().create_future()
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

    async def settle(self) -> None:
        """Wait until the markers added so far are written, for at most SETTLE_SECONDS.

        Called before a session begins its next body: then a process that is killed leaves at most
        one mail for each session UNCERTAIN, and not the one before it too. Once a write has failed
        or was slow this does not wait, until one has succeeded again: Redis delays no mail.
        """
        write = self._next_write or self._current_write
        if write is not None and self._is_prompt:
            _, pending = await asyncio.wait({write}, timeout=SETTLE_SECONDS)
            if pending:
                self._is_prompt = False

    async def run(self, stop: asyncio.Event) -> None:
        await flush_until(stop, partial(self._write, stop), requested=self._requested)

    async def _write(self, stop: asyncio.Event) -> None:
        await sleep_unless(stop, LINGER_SECONDS)
        to_add, self._to_add = list(self._to_add), {}
        to_remove, self._to_remove = self._to_remove, []
        self._current_write, self._next_write = self._next_write, None
        try:
            if to_add or to_remove:
                await self._store.write(added=to_add, removed=to_remove)
            self._is_prompt = True
        except RedisUnavailable as error:
            # Not retried: a marker that stays expires, and by now the outcome is probably stored.
            structlog.get_logger().debug("sent markers not written", error=error.for_log)
            self._is_prompt = False
            self._end_write()
            await sleep_unless(stop, BACK_OFF_SECONDS)
        finally:
            self._end_write()

    def _end_write(self) -> None:
        """Wake those who wait for the write that has ended."""
        if self._current_write is not None:
            self._current_write.set_result(None)
            self._current_write = None
