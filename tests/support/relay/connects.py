"""Sessions that are opened to a relay, and a mail over one."""

from datetime import timedelta
from typing import Any

from gcsched.adapters.smtp.connect import Connector, trust_in
from gcsched.adapters.smtp.options import Limits
from gcsched.adapters.smtp.session import Session
from gcsched.domain.smtp_reply import Answered, Broken
from tests.support.relay.client import ACCEPTED, gone, send
from tests.support.relay.server import Relay

SOON = timedelta(seconds=0.2)


PASSWORD = "correct horse"


async def opening(relay: Relay, **others: Any) -> Session | Answered | Broken:
    limits = Limits(connect=SOON, greeting=SOON) if others.pop("hurry", False) else Limits()
    settings = relay.settings(**others)
    trust = trust_in(settings)
    return await Connector(relay=settings, limits=limits, trust=trust).open()


async def carries_a_mail(session: Session | Answered | Broken) -> bool:
    assert isinstance(session, Session), session
    accepted = await send(session) == Answered(ACCEPTED)
    return accepted and await gone(session)
