"""Check one relay without a mail: at the start, and while no mail says how it is."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from gcsched.usecases.loops import periodically, sleep_unless
from gcsched.usecases.ports import Checkable
from gcsched.usecases.relays.health import RelayHealth
from gcsched.usecases.relays.protected_relay import GuardedRelay

AT_ONCE = timedelta(0)
LOGIN_LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayChecks:
    """*wake* is called when a relay that was down is found up: mails may wait for it.

    *clock* is monotonic.
    """

    sessions: Checkable
    relay: GuardedRelay
    health: RelayHealth
    wake: Callable[[], None]
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random

    async def run(self, stop: asyncio.Event) -> None:
        await periodically(self._check_when_due, every=AT_ONCE, stop=stop)

    async def check(self) -> None:
        """Check once, and let breaker and health learn from it."""
        checked = await self.sessions.check()
        if checked is None:
            self.health.put_off()
            return
        was_down = self.relay.is_down
        self.relay.learn_from_check(checked)
        if was_down and not self.relay.is_down:
            self.wake()

    async def _check_when_due(self) -> None:
        await self._wait_until_due()
        await self.check()

    async def _wait_until_due(self) -> None:
        chance = self.chance()
        while (left := self._seconds_left(chance)) > 0:
            if self.health.schedule.is_login_refused:
                if self.sessions.has_new_login:
                    return
                left = min(left, LOGIN_LOOK_SECONDS)
            self.health.troubled.clear()
            await sleep_unless(self.health.troubled, left)

    def _seconds_left(self, chance: float) -> float:
        wait = self.health.schedule.wait_seconds(chance)
        return self.health.heard_at + wait - self.clock() if wait else 0.0
