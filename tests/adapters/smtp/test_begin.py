"""The permit before the body, and sessions that were kept too long."""

import asyncio

import pytest

from gcsched.adapters.smtp.transaction import Stale
from gcsched.domain import permit
from gcsched.domain.smtp_reply import Broken, Stage, Withheld
from tests.support.mails import GrantPermit, refuse_permit
from tests.support.relay.client import a_session, send
from tests.support.relay.server import (
    Action,
    Answer,
    At,
    Drop,
    Hang,
    Relay,
)
from tests.support.wait import until


async def test_without_a_permit_nothing_is_transmitted() -> None:
    async with Relay() as relay:
        session = await a_session(relay)

        outcome = await send(session, begin=refuse_permit)

        assert isinstance(outcome, Withheld)
        assert not session.is_alive
        await until(lambda: not relay.open)
        assert (relay.ledger, relay.violations) == ([], [])


async def test_a_permit_that_ran_out_does_not_count() -> None:
    async with Relay() as relay:
        session = await a_session(relay)

        outcome = await send(session, begin=GrantPermit(seconds=-0.001))

        assert isinstance(outcome, Withheld)
        await until(lambda: not relay.open)
        assert relay.ledger == []


async def test_an_error_of_begin_is_raised_and_nothing_is_transmitted() -> None:
    async def fail() -> permit.Permit:
        raise LookupError("no claim")

    async with Relay() as relay:
        session = await a_session(relay)

        with pytest.raises(LookupError):
            await send(session, begin=fail)

        assert not session.is_alive
        await until(lambda: not relay.open)
        assert relay.ledger == []


async def test_a_hang_up_while_the_permit_is_awaited_is_not_uncertain() -> None:
    async with Relay() as relay:
        session = await a_session(relay)

        async def slow() -> permit.Permit:
            relay.drop_all()
            await until(lambda: not session.is_alive)
            return await GrantPermit()()

        outcome = await send(session, begin=slow)

        assert isinstance(outcome, Broken)
        assert outcome.stage is Stage.DATA


async def test_cancelled_before_the_body_nothing_is_transmitted() -> None:
    never = asyncio.Event()
    reached = asyncio.Event()

    async def wait() -> None:
        reached.set()
        await never.wait()

    async with Relay() as relay, asyncio.TaskGroup() as tasks:
        session = await a_session(relay)
        sending = tasks.create_task(send(session, begin=wait))
        await reached.wait()

        sending.cancel()
        await asyncio.wait([sending])

        assert sending.cancelled()
        assert not session.is_alive
        await until(lambda: not relay.open)
        assert relay.ledger == []


async def test_cancelled_after_the_body_started_the_session_is_closed_and_the_mail_may_arrive() -> (
    None
):
    async with Relay() as relay, asyncio.TaskGroup() as tasks:
        relay.script(At.BODY, Hang(asyncio.Event()))
        session = await a_session(relay)
        begin = GrantPermit()
        sending = tasks.create_task(send(session, begin=begin))
        await until(lambda: relay.ledger)

        sending.cancel()
        await asyncio.wait([sending])

        assert sending.cancelled()
        assert (begin.calls, session.is_alive) == (1, False)


@pytest.mark.parametrize("action", [Drop(), Answer(421, "4.4.2 idle too long")])
async def test_a_kept_session_that_was_dead_is_stale_and_a_new_one_is_not(
    action: Action,
) -> None:
    async with Relay() as relay:
        relay.script(At.MAIL, action, nth=2)
        relay.script(At.MAIL, action, nth=3)
        kept, begin = await a_session(relay), GrantPermit()
        await send(kept)

        assert await send(kept, begin=begin) == Stale()
        assert not isinstance(await send(await a_session(relay), begin=begin), Stale)
        assert begin.calls == 0


async def test_a_failed_rset_makes_a_session_stale() -> None:
    async with Relay() as relay:
        relay.script(At.RCPT, Answer(550, "5.1.1 no such user"), nth=1)
        relay.script(At.RSET, Answer(500, "5.5.1 what"))
        session = await a_session(relay)
        await send(session)

        assert await send(session) == Stale()

        assert not session.is_alive
        await until(lambda: not relay.open)
        assert relay.ledger == []
