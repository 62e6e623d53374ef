"""Two relays, the preferred one and its fallback, behind a transport."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gcsched.adapters.smtp.pool import SmtpSessionPool
from gcsched.adapters.smtp.relay_settings import Timeouts
from gcsched.domain.circuit_breaker import BreakerPolicy
from gcsched.domain.silence_limit import SilenceLimit
from gcsched.domain.smtp_reply import Answered
from gcsched.usecases.ports import Mailer, SendResult
from gcsched.usecases.relays.failover import FailoverTransport
from gcsched.usecases.relays.protected_relay import ProtectedRelay
from gcsched.usecases.relays.rate_allowance import LocalRateAllowance
from gcsched.usecases.relays.rate_limiter import RateLimiter
from tests.support.mails import GrantPermit, a_mail
from tests.support.relay.client import a_pool
from tests.support.relay.server import Relay

MIN_SILENCE = 0.4
SOON = 5.0  # seconds; the limits of the RFC are minutes


@dataclass(frozen=True, kw_only=True)
class RelayPair:
    """Two relays, the transport that chooses between them, and the pool of the first."""

    first: Relay
    second: Relay
    relays: FailoverTransport
    pool: SmtpSessionPool

    async def send(self, count: int = 1) -> list[SendResult]:
        mails = [a_mail(recipient=f"r{number}@example.org") for number in range(count)]
        return await asyncio.gather(*[self.relays.send(mail, GrantPermit()) for mail in mails])

    async def send_timed(self, count: int = 1) -> float:
        """Send mails, assert that all are accepted, and return the seconds of the slowest."""
        start = time.monotonic()
        results = await self.send(count)
        assert {code_of(each) for each in results} == {250}
        return time.monotonic() - start


def code_of(result: SendResult) -> int:
    """Return the code of the relay's decision; 0 when there was none."""
    transmission = result.transmission
    return transmission.reply.code if isinstance(transmission, Answered) else 0


def a_protected_relay(pool: Mailer, *, min_silence: float = MIN_SILENCE) -> ProtectedRelay:
    allowance = LocalRateAllowance()
    rate_limiter = RateLimiter(relay=pool.name, per_second=0, burst=10, allowance=allowance)
    policy = BreakerPolicy(initial_wait=timedelta(seconds=0.1), max_wait=timedelta(seconds=0.1))
    return ProtectedRelay(
        mailer=pool,
        rate_limiter=rate_limiter,
        password_variable="",
        while_down="the fallback takes over",
        policy=policy,
        silence_limit=SilenceLimit(min_seconds=min_silence, max_seconds=20.0),
    )


@asynccontextmanager
async def a_pair(
    timeouts: Timeouts | None = None,
    *,
    first: Relay | None = None,
    login: dict[str, Any] | None = None,
    min_silence: float = MIN_SILENCE,
    sessions: int = 16,
) -> AsyncIterator[RelayPair]:
    async with (
        first or Relay() as one,
        Relay() as two,
        a_pool(one, timeouts, login, sessions=sessions) as pool,
        a_pool(two) as other,
    ):
        relays = FailoverTransport(
            [
                a_protected_relay(pool, min_silence=min_silence),
                a_protected_relay(other, min_silence=min_silence),
            ]
        )
        yield RelayPair(first=one, second=two, relays=relays, pool=pool)
