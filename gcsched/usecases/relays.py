"""Choose the relay for each mail, and shut the gate before the claiming while there is none."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from gcsched.domain.mail import Mail
from gcsched.domain.replies import Withheld
from gcsched.usecases.guard import GuardedRelay
from gcsched.usecases.ports import Begin, Carried

NO_RELAY = Carried(relay="", transmission=Withheld("no relay can be used now"))
PROBE_IS_TAKEN_WITHIN_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0


class Relays:
    """The relays in the order of preference: a Carrier, and the Gate that belongs to it.

    A mail goes to the first relay that is up, or whose probe is due: so a fallback takes over and
    hands back by itself. While all are down one mail at a time is let through, to be a probe; what
    was claimed before finds no relay and is given back.
    """

    def __init__(
        self, relays: Sequence[GuardedRelay], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._relays = relays
        self._clock = clock
        self._probe_granted_until = 0.0
        self._changed = asyncio.Event()

    async def carry(self, mail: Mail, begin: Begin) -> Carried:
        relay = next((each for each in self._relays if each.seconds_until_try() == 0), None)
        if relay is None:
            return NO_RELAY
        self._probe_granted_until = 0.0
        try:
            return Carried(relay=relay.name, transmission=await relay.send(mail, begin))
        finally:
            self._changed.set()

    async def wait_open(self) -> None:
        while (wait := self._seconds_until_open()) > 0:
            self._changed.clear()
            with suppress(TimeoutError):
                # Not wait_for: up to Python 3.11 it may overhear a cancel.
                async with asyncio.timeout(min(wait, LONGEST_WAIT_SECONDS)):
                    await self._changed.wait()

    async def grant(self, most: int) -> int:
        if self._is_any_up():
            return most
        if self._seconds_until_open() > 0:
            return 0
        self._probe_granted_until = self._clock() + PROBE_IS_TAKEN_WITHIN_SECONDS
        return 1

    async def refund(self, count: int) -> None:
        if count:
            self._probe_granted_until = 0.0

    def _is_any_up(self) -> bool:
        return not all(relay.is_down for relay in self._relays)

    def _seconds_until_open(self) -> float:
        if self._is_any_up():
            return 0.0
        until_probe = min(relay.seconds_until_try() for relay in self._relays)
        return max(until_probe, self._probe_granted_until - self._clock())
