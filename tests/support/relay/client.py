"""A session or a pool of them with the tests' relay, and helpers to send through it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gcsched.adapters.smtp.connect import Connector, make_tls_context
from gcsched.adapters.smtp.envelope import EncodedMail
from gcsched.adapters.smtp.feedback import RelayFeedback
from gcsched.adapters.smtp.pending_mail import PendingMail
from gcsched.adapters.smtp.pool import SmtpSessionPool
from gcsched.adapters.smtp.relay_settings import PoolLimits, Timeouts
from gcsched.adapters.smtp.session import Session
from gcsched.adapters.smtp.session_limit import SessionLimit
from gcsched.adapters.smtp.transaction import Stale
from gcsched.domain.mail import Mail
from gcsched.domain.smtp_reply import Answered, Reply, Stage, Transmission
from gcsched.usecases.ports import Begin, Mailer
from tests.support.mails import GrantPermit, a_mail
from tests.support.relay.server import Relay

ACCEPTED = Reply(stage=Stage.BODY, code=250, enhanced_code="2.0.0", text="kept")
KEPT = Answered(ACCEPTED)
BOTH_WAYS = pytest.mark.parametrize(
    "offers", [frozenset({"PIPELINING", "8BITMIME"}), frozenset({"8BITMIME"})], ids=["group", "one"]
)


async def a_session(relay: Relay, timeouts: Timeouts | None = None) -> Session:
    settings = relay.settings()
    connector = Connector(
        relay=settings, timeouts=timeouts or Timeouts(), tls_context=make_tls_context(settings)
    )
    session = await connector.open()
    assert isinstance(session, Session)
    return session


async def send(
    session: Session,
    mail: Mail | None = None,
    begin: Begin | None = None,
) -> Transmission | Stale:
    pending = a_pending_mail(mail)
    try:
        pending.start(session)
        return await pending.complete(begin or GrantPermit())
    except BaseException:
        pending.give_up()
        raise


def a_pending_mail(mail: Mail | None = None) -> PendingMail:
    return PendingMail(
        EncodedMail.encode(mail or a_mail()),
        feedback=RelayFeedback(
            relay="relay", limit=SessionLimit(1), is_needed=lambda: False, clock=time.monotonic
        ),
        requeue=lambda _: None,
    )


async def quit_session(session: Session) -> bool:
    session.quit()
    await session.closed
    return True


@asynccontextmanager
async def a_pool(
    relay: Relay,
    timeouts: Timeouts | None = None,
    login: dict[str, Any] | None = None,
    **limits: Any,
) -> AsyncIterator[SmtpSessionPool]:
    settings = relay.settings(**(login or {}))
    async with SmtpSessionPool(
        relay=settings, timeouts=timeouts or Timeouts(), pool_limits=PoolLimits(**limits)
    ) as pool:
        yield pool


async def deliver(pool: Mailer, mail: Mail | None = None) -> Transmission:
    return await pool.send(mail or a_mail(), GrantPermit())


async def deliver_many(pool: Mailer, count: int) -> list[Transmission]:
    mails = [a_mail(recipient=f"r{number}@example.org") for number in range(count)]
    return await asyncio.gather(*(deliver(pool, mail) for mail in mails))


async def deliver_to(pool: Mailer, name: str) -> Transmission:
    return await deliver(pool, a_mail(recipient=f"{name}@example.org"))


def names_of(relay: Relay) -> list[str]:
    return [kept.recipient.partition("@")[0] for kept in relay.ledger]
