"""Checks one relay without a mail: at the start, and while no mail shows its state."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from gcsched.usecases.loops import run_periodically, sleep_unless
from gcsched.usecases.ports import Checkable
from gcsched.usecases.relays.health import RelayHealth
from gcsched.usecases.relays.protected_relay import ProtectedRelay

NO_PAUSE = timedelta(0)
LOGIN_POLL_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayChecks:
    """Checks a relay when a check is due.

    *on_up* is called when a relay that was down is found up: mails may wait for it. *clock* is
    monotonic.
    """

    sessions: Checkable
    relay: ProtectedRelay
    health: RelayHealth
    on_up: Callable[[], None]
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random

    async def run(self, stop: asyncio.Event) -> None:
        await run_periodically(self._check_when_due, every=NO_PAUSE, stop=stop)

    async def check(self) -> None:
        """Check once, and pass the result to the breaker and the health."""
        result = await self.sessions.check()
        if result is None:
            self.health.postpone_check()
            return
        was_down = self.relay.is_down
        self.relay.record_check(result)
        if was_down and not self.relay.is_down:
            self.on_up()

    async def _check_when_due(self) -> None:
        await self._wait_until_due()
        await self.check()

    async def _wait_until_due(self) -> None:
        chance = self.chance()
        while (left := self._seconds_left(chance)) > 0:
            self.health.plan_check(left)
            if self.health.schedule.is_login_refused:
                if self.sessions.has_new_login:
                    return
                # The relay is not asked, only the settings: a new password should be tried soon.
                left = min(left, LOGIN_POLL_SECONDS)
            # A mail may fail meanwhile, after which the next check is due sooner.
            self.health.has_failed.clear()
            await sleep_unless(self.health.has_failed, left)

    def _seconds_left(self, chance: float) -> float:
        wait = self.health.schedule.wait_seconds(chance)
        return self.health.observed_at + wait - self.clock() if wait else 0.0
