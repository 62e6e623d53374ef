"""Opening sessions with a relay, and sending one mail."""

from datetime import timedelta
from typing import Any

from gcsched.adapters.smtp.connect import Connector, make_tls_context
from gcsched.adapters.smtp.relay_settings import Timeouts
from gcsched.adapters.smtp.session import Session
from gcsched.domain.smtp_reply import Answered, Broken
from tests.support.relay.client import ACCEPTED, quit_session, send
from tests.support.relay.server import Relay

SOON = timedelta(seconds=0.2)


PASSWORD = "correct horse"


async def open_session(relay: Relay, **others: Any) -> Session | Answered | Broken:
    timeouts = Timeouts(connect=SOON, greeting=SOON) if others.pop("hurry", False) else Timeouts()
    settings = relay.settings(**others)
    context = make_tls_context(settings)
    return await Connector(relay=settings, timeouts=timeouts, tls_context=context).open()


async def can_send_mail(session: Session | Answered | Broken) -> bool:
    assert isinstance(session, Session), session
    accepted = await send(session) == Answered(ACCEPTED)
    return accepted and await quit_session(session)
