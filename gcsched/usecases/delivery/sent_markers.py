"""Note which mails the relay accepted, ahead of the outcome: a crash then leaves less in doubt."""

import asyncio
from contextlib import suppress

import structlog

from gcsched.errors import BellUnavailable
from gcsched.usecases.ports import Conclusion, Marks

MOST_WAITING = 5_000
QUIET_SECONDS = 1.0


class AcceptedMarks:
    """Carry marks to Redis in the background.

    Losing one loses no mail: without it a crash makes the job UNCERTAIN instead of SENT.
    """

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._to_note: dict[tuple[str, str], None] = {}
        self._to_forget: list[tuple[str, str]] = []
        self._asked = asyncio.Event()

    def note(self, conclusion: Conclusion) -> None:
        if len(self._to_note) < MOST_WAITING:
            self._to_note[conclusion.job.id, conclusion.claim] = None
            self._asked.set()

    def forget(self, conclusion: Conclusion) -> None:
        """Drop the mark: the database knows by now. One not yet written never will be."""
        mark = (conclusion.job.id, conclusion.claim)
        if mark in self._to_note:
            del self._to_note[mark]
        elif len(self._to_forget) < MOST_WAITING:
            self._to_forget.append(mark)
            self._asked.set()

    async def run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            waker = tasks.create_task(self._wake_on(stop), name="marks stop")
            while not stop.is_set():
                await self._asked.wait()
                self._asked.clear()
                await self._write(stop)
            waker.cancel()

    async def _wake_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._asked.set()

    async def _write(self, stop: asyncio.Event) -> None:
        noting, self._to_note = list(self._to_note), {}
        forgetting, self._to_forget = self._to_forget, []
        try:
            if noting:
                await self._marks.note(noting)
            if forgetting:
                await self._marks.forget(forgetting)
        except BellUnavailable as error:
            # Not tried again: what was to be forgotten expires, what was to be noted is a guess.
            structlog.get_logger().debug("marks not written", error=error.for_log)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), QUIET_SECONDS)
