"""Note which mails the relay accepted, ahead of the outcome: a crash then leaves less in doubt."""

import asyncio
from functools import partial

import structlog

from gcsched.errors import BellUnavailable
from gcsched.usecases.loops import flush_until, sleep_unless
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
        await flush_until(stop, partial(self._write, stop), asked=self._asked)

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
            await sleep_unless(stop, QUIET_SECONDS)
