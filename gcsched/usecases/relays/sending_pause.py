"""The pause: while it is stored, no process claims jobs and no delivery begins a body."""

import asyncio
from datetime import timedelta
from functools import partial

import structlog

from gcsched.domain.caller_text import format_line
from gcsched.domain.mail import Mail
from gcsched.domain.pause import Pause
from gcsched.domain.permit import Permit
from gcsched.domain.smtp_reply import Withheld
from gcsched.errors import StoreUnavailable
from gcsched.usecases.loops import run_periodically
from gcsched.usecases.ports import Begin, GatedTransport, PauseStore, SendResult

REFRESH_EVERY = timedelta(seconds=1)
PAUSED = SendResult(relay="", transmission=Withheld("sending is paused"))


class PausableTransport:
    """A transport and its gate, both shut while sending is paused.

    A body that has begun is finished; a claimed job whose body has not begun is given back. Until
    the store was read for the first time nothing is claimed; a store that is away later changes
    nothing.
    """

    def __init__(self, transport: GatedTransport, pauses: PauseStore) -> None:
        self._transport = transport
        self._pauses = pauses
        self._pause: Pause | None = None
        self._may_send = asyncio.Event()
        self._is_known = False
        self._changes = 0

    @property
    def pause(self) -> Pause | None:
        return self._pause

    @property
    def is_paused(self) -> bool | None:
        """Whether sending is paused; None until the store was read."""
        return self._pause is not None if self._is_known else None

    async def pause_sending(self, pause: Pause, *, within: timedelta) -> Pause:
        """Store *pause* for all processes; this one pauses at once. Raises StoreUnavailable."""
        try:
            async with asyncio.timeout(within.total_seconds()):
                stored = await self._pauses.save(pause)
        except TimeoutError as error:
            raise StoreUnavailable("storing the pause") from error
        self._changes += 1
        self._update(stored)
        return stored

    async def resume_sending(self, by: str, *, within: timedelta) -> Pause | None:
        """End the pause; return it if there was one. Raises StoreUnavailable."""
        try:
            async with asyncio.timeout(within.total_seconds()):
                ended = await self._pauses.delete()
        except TimeoutError as error:
            raise StoreUnavailable("ending the pause") from error
        self._changes += 1
        self._update(None, by=by)
        return ended

    async def run(self, stop: asyncio.Event) -> None:
        await run_periodically(self.refresh, every=REFRESH_EVERY, stop=stop)

    async def refresh(self) -> None:
        """Read whether another process has paused or resumed."""
        changes = self._changes
        try:
            pause = await self._pauses.get()
        except StoreUnavailable:
            return  # the store check reports it
        if changes == self._changes:  # else the read began before a change made here
            self._update(pause)

    def _update(self, pause: Pause | None, *, by: str = "") -> None:
        log, before = structlog.get_logger(), self._pause
        if pause is not None and pause != before:
            log.warning("sending paused", **pause_fields(pause))
        if pause is None and before is not None:
            log.warning(
                "sending resumed", **pause_fields(before), caller_resumed_by=format_line(by)
            )
        self._pause, self._is_known = pause, True
        if pause is None:
            self._may_send.set()
        else:
            self._may_send.clear()

    async def wait_open(self) -> None:
        while True:
            await self._may_send.wait()
            await self._transport.wait_open()
            # A pause may have begun while the transport was waited for.
            if self._may_send.is_set():
                return

    async def grant(self, most: int) -> int:
        return await self._transport.grant(most) if self._may_send.is_set() else 0

    async def refund(self, count: int) -> None:
        await self._transport.refund(count)

    async def send(self, mail: Mail, begin: Begin) -> SendResult:
        if not self._may_send.is_set():
            return PAUSED
        return await self._transport.send(mail, partial(self._begin, begin))

    async def _begin(self, begin: Begin) -> Permit | None:
        return await begin() if self._may_send.is_set() else None


def pause_fields(pause: Pause) -> dict[str, str]:
    """Return the log fields of *pause*; the prefix ``caller_`` marks the words of a caller."""
    return {"caller_by": format_line(pause.by), "caller_reason": format_line(pause.reason)}
