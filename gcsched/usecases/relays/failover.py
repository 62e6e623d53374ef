"""Chooses the relay for each mail, and shuts the gate to claims while no relay can be used."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from gcsched.domain.circuit_breaker import is_failure_before_body
from gcsched.domain.mail import Mail
from gcsched.domain.smtp_reply import Withheld
from gcsched.usecases.loops import sleep_unless
from gcsched.usecases.ports import Begin, SendResult
from gcsched.usecases.relays.protected_relay import ProtectedRelay
from gcsched.usecases.relays.withheld import OTHER_DOMAIN_FIRST, RELAY_WENT_DOWN

NO_USABLE_RELAY = SendResult(relay="", transmission=Withheld("no relay can be used now"))
PROBE_GRANT_SECONDS = 1.0  # how long a granted probe may take from its claim to the relay
BARRED_PROBE_PAUSE_SECONDS = 0.5  # after a probe that was refused for its domain
MAX_WAIT_SECONDS = 60.0


class FailoverTransport:
    """The relays in order of preference: a Transport, and the Gate that belongs to it.

    A mail goes to the first relay that is up or whose probe is due. So a fallback takes over, and
    hands back, by itself. While all relays are down, one mail at a time is let through as a probe;
    jobs that were claimed before find no relay and are given back.
    """

    def __init__(
        self, relays: Sequence[ProtectedRelay], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._relays = relays
        self._clock = clock
        self._granted_by: ProtectedRelay | None = None
        self._probe_granted_until = 0.0
        self._no_probe_until = 0.0
        self._changed = asyncio.Event()

    @property
    def relays(self) -> Sequence[ProtectedRelay]:
        return self._relays

    @property
    def down(self) -> Mapping[str, bool]:
        """Return for each relay, by name, whether its breaker is open."""
        return {relay.name: relay.is_down for relay in self._relays}

    async def send(self, mail: Mail, begin: Begin) -> SendResult:
        result = NO_USABLE_RELAY
        for relay in self._relays:
            if relay.seconds_until_try() > 0:
                continue
            result = await self._send_by(relay, mail, begin)
            # A failed probe, or a silent relay: the next relay may have the mail, if there is one.
            is_failure = relay.is_down and is_failure_before_body(result.transmission)
            if not is_failure and result.transmission is not RELAY_WENT_DOWN:
                break
        return result

    async def _send_by(self, relay: ProtectedRelay, mail: Mail, begin: Begin) -> SendResult:
        self._probe_granted_until = 0.0
        is_alone = len(self._relays) == 1
        has_other = None if is_alone else partial(self._has_other_than, relay)
        try:
            transmission = await relay.send(mail, begin, has_other=has_other)
            if transmission is OTHER_DOMAIN_FIRST:
                # Jobs of one domain would be claimed and put off as fast as the store allows.
                self._no_probe_until = self._clock() + BARRED_PROBE_PAUSE_SECONDS
            return SendResult(relay=relay.name, transmission=transmission)
        finally:
            # The result may have opened or closed a breaker: claims that wait check again.
            self._changed.set()

    def notify_up(self) -> None:
        """Check the gate again: a relay was found up without a mail."""
        self._changed.set()

    async def wait_open(self) -> None:
        while (wait := self._seconds_until_open()) > 0:
            self._changed.clear()
            await sleep_unless(self._changed, min(wait, MAX_WAIT_SECONDS))

    async def grant(self, most: int) -> int:
        self._granted_by = self._first_up()
        if self._granted_by is not None:
            return await self._granted_by.reserve(most)
        if self._seconds_until_open() > 0:
            return 0
        # One mail only. The grant expires, in case no job is claimed or it does not get here.
        self._probe_granted_until = self._clock() + PROBE_GRANT_SECONDS
        return 1

    async def refund(self, count: int) -> None:
        if self._granted_by is not None:
            await self._granted_by.refund(count)
        elif count:  # the probe was not claimed: the next claim may have it
            self._probe_granted_until = 0.0

    def _first_up(self) -> ProtectedRelay | None:
        return next((relay for relay in self._relays if not relay.is_down), None)

    def _has_other_than(self, relay: ProtectedRelay) -> bool:
        return any(not other.is_down for other in self._relays if other is not relay)

    def _seconds_until_open(self) -> float:
        if (relay := self._first_up()) is not None:
            return relay.seconds_until_next()
        until_probe = min(relay.seconds_until_try() for relay in self._relays)
        shut_until = max(self._probe_granted_until, self._no_probe_until)
        return max(until_probe, shut_until - self._clock())
