"""Two relays, one preferred, as a mail that is to leave finds them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gcsched.adapters.smtp.options import Limits
from gcsched.adapters.smtp.pool import Pool
from gcsched.domain.circuit_breaker import BreakerPolicy
from gcsched.domain.silence_limit import Patience
from gcsched.domain.smtp_reply import Answered
from gcsched.usecases.ports import Carried, Mailer
from gcsched.usecases.relays.failover import Relays
from gcsched.usecases.relays.protected_relay import GuardedRelay
from gcsched.usecases.relays.rate_allowance import OwnAllowance
from gcsched.usecases.relays.rate_limiter import Pacer
from tests.support.mails import Permit, a_mail
from tests.support.relay.client import a_pool
from tests.support.relay.server import Relay

PATIENCE = 0.4
SOON = 5.0  # the limits of the RFC are minutes


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two relays, what chooses between them, and the pool of the first."""

    first: Relay
    second: Relay
    relays: Relays
    pool: Pool

    async def carry(self, count: int = 1) -> list[Carried]:
        mails = [a_mail(recipient=f"r{number}@example.org") for number in range(count)]
        return await asyncio.gather(*[self.relays.carry(mail, Permit()) for mail in mails])

    async def carry_timed(self, count: int = 1) -> float:
        """Carry mails that are all taken; give the seconds of the slowest."""
        begun = time.monotonic()
        carried = await self.carry(count)
        assert {code_of(each) for each in carried} == {250}
        return time.monotonic() - begun


def code_of(carried: Carried) -> int:
    """Give the code of the relay's decision; 0 when there was none."""
    transmission = carried.transmission
    return transmission.reply.code if isinstance(transmission, Answered) else 0


def a_guard(pool: Mailer, *, least: float = PATIENCE) -> GuardedRelay:
    allowance = OwnAllowance()
    pacer = Pacer(relay=pool.name, per_second=0, burst=10, allowance=allowance)
    policy = BreakerPolicy(first_wait=timedelta(seconds=0.1), longest_wait=timedelta(seconds=0.1))
    return GuardedRelay(
        mailer=pool,
        pacer=pacer,
        login="",
        meanwhile="the fallback takes over",
        policy=policy,
        patience=Patience(least=least, most=20.0),
    )


@asynccontextmanager
async def a_pair(
    limits: Limits | None = None,
    *,
    first: Relay | None = None,
    login: dict[str, Any] | None = None,
    least: float = PATIENCE,
    sessions: int = 16,
) -> AsyncIterator[Pair]:
    async with (
        first or Relay() as one,
        Relay() as two,
        a_pool(one, limits, login, sessions=sessions) as pool,
        a_pool(two) as other,
    ):
        relays = Relays([a_guard(pool, least=least), a_guard(other, least=least)])
        yield Pair(first=one, second=two, relays=relays, pool=pool)
