"""What a session does with its transport and its timers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from gcsched.adapters.smtp.conversation import CLAIM_LOST
from gcsched.adapters.smtp.relay_settings import Timeouts
from gcsched.adapters.smtp.session import Session
from gcsched.domain.smtp_reply import Answered, Stage
from tests.support.relay.client import ACCEPTED, a_pool, a_session, deliver, send
from tests.support.relay.peer import CAPABILITIES, READY, Sender, a_permit
from tests.support.relay.server import Answer, At, Hang, Relay
from tests.support.wait import until


class FakeTransport(asyncio.Transport):
    """Takes octets; `close` waits for the other end, as that of TLS does, and `abort` does not."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_close_wanted = False
        self.session: Session | None = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, Session)
        self.session = protocol

    def write(self, data: Any) -> None:
        self.written.append(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.is_close_wanted

    def close(self) -> None:
        self.is_close_wanted = True

    def abort(self) -> None:
        self.is_close_wanted = True
        if self.session is not None and not self.session.closed.done():
            asyncio.get_running_loop().call_soon(self.session.connection_lost, None)


@asynccontextmanager
async def a_fake_session(timeouts: Timeouts | None = None) -> AsyncIterator[Session]:
    session = Session(FakeTransport(), CAPABILITIES, timeouts or Timeouts())
    yield session
    session.abort()
    await session.closed


def reply_to(session: Session, *lines: str) -> None:
    session.data_received("".join(f"{line}\r\n" for line in lines).encode())


async def test_a_timer_is_not_set_for_each_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    call_at, timers = loop.call_at, []

    def record(when: float, callback: Callable[..., Any], *args: Any) -> asyncio.TimerHandle:
        timers.append(when)
        return call_at(when, callback, *args)

    async with a_fake_session() as session:
        monkeypatch.setattr(loop, "call_at", record)
        senders = [Sender(f"r{number}") for number in range(50)]
        waiting = iter(senders[1:])
        session.take_following = lambda _: (
            following.transaction if (following := next(waiting, None)) else None
        )

        session.start(senders[0].transaction)
        reply_to(session, *READY)
        for _ in senders[1:]:
            session.transmit(a_permit())
            reply_to(session, "250 2.0.0 kept", *READY)
        session.transmit(a_permit())
        reply_to(session, "250 2.0.0 kept")

        assert [each.result for each in senders] == [Answered(ACCEPTED)] * 50
        assert len(timers) == 2  # for the first envelope, and for the first mail that follows


async def test_quit_ends_a_connection_that_the_relay_leaves_open_after_its_reply() -> None:
    async with a_fake_session(Timeouts(quit=timedelta(seconds=0.05))) as session:
        session.quit()
        reply_to(session, "221 2.0.0 bye")

        async with asyncio.timeout(5):
            await session.closed


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
@pytest.mark.parametrize("at", [At.MAIL, At.BODY])
async def test_a_421_ends_the_connection_without_an_error(security: str, at: At) -> None:
    async with Relay(security=security) as relay, a_pool(relay, sessions=1) as pool:
        relay.script(at, Answer(421, "4.3.2 going down"), nth=1)

        outcome = await deliver(pool)
        await until(lambda: not pool.connections)

        assert isinstance(outcome, Answered)
        assert (outcome.reply.stage, outcome.reply.code) == (Stage(at), 421)
        assert await deliver(pool) == Answered(ACCEPTED)


async def test_a_check_that_is_cancelled_after_its_reply_leaves_the_session_to_the_next_mail() -> (
    None
):
    async with a_fake_session() as session:
        checking = asyncio.ensure_future(session.check())
        await asyncio.sleep(0)
        sender = Sender("ada")
        session.on_change = lambda each: each.start(sender.transaction)

        reply_to(session, "250 ok")  # the mail begins before the check goes on
        checking.cancel()
        await asyncio.wait([checking])

        assert checking.cancelled()
        assert session.is_alive
        assert sender.results == []


async def test_a_check_that_is_cancelled_before_its_reply_closes_the_session() -> None:
    async with a_fake_session() as session:
        checking = asyncio.ensure_future(session.check())
        await asyncio.sleep(0)

        checking.cancel()
        await asyncio.wait([checking])

        assert not session.is_alive


async def test_without_a_permit_a_mail_is_withheld_also_if_its_session_was_lost_meanwhile() -> None:
    async with Relay() as relay:
        session = await a_session(relay)

        async def lose_claim() -> None:
            relay.drop_all()
            await until(lambda: not session.is_alive)

        assert await send(session, begin=lose_claim) == CLAIM_LOST


async def test_a_mail_that_is_cancelled_while_its_session_opens_gives_the_place_back() -> None:
    async with Relay() as relay, a_pool(relay, sessions=1) as pool, asyncio.TaskGroup() as tasks:
        relay.script(At.EHLO, Hang(), nth=1)
        first = tasks.create_task(deliver(pool))
        await until(lambda: relay.applied_actions)
        second = tasks.create_task(deliver(pool))

        first.cancel()

        assert await second == Answered(ACCEPTED)
        assert (pool.connections, pool.busy) == (1, 0)
