"""Mails during failures of the relay and of sessions, and at the end of the pool."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from gcsched.adapters.smtp.pool import SmtpSessionPool
from gcsched.adapters.smtp.relay_settings import Timeouts
from gcsched.domain.smtp_reply import Answered, Broken, Stage, Transmission
from gcsched.errors import MalformedMail
from tests.support.mails import CONTENT, GrantPermit, a_mail, refuse_permit
from tests.support.ports import free_port
from tests.support.relay.client import ACCEPTED, a_pool, deliver, deliver_many
from tests.support.relay.server import Action, Answer, At, Drop, Faults, Hang, Relay
from tests.support.wait import until


async def close_with_421(relay: Relay, pool: SmtpSessionPool) -> None:
    relay.send_to_all(b"421 4.4.2 idle for too long\r\n")
    await until(lambda: not pool.idle)


async def drop_and_wait(relay: Relay, pool: SmtpSessionPool) -> None:
    relay.drop_all()
    await until(lambda: not pool.idle)


async def drop(relay: Relay, _: SmtpSessionPool) -> None:
    relay.drop_all()


async def drop_on_use(relay: Relay, _: SmtpSessionPool) -> None:
    relay.script(At.MAIL, Drop(), nth=2)


async def refuse_on_use(relay: Relay, _: SmtpSessionPool) -> None:
    relay.script(At.MAIL, Answer(421, "4.4.2 idle for too long"), nth=2)


@pytest.mark.parametrize("death", [close_with_421, drop_and_wait, drop, drop_on_use, refuse_on_use])
async def test_a_kept_session_that_had_died_is_replaced_unnoticed(
    death: Callable[..., Any],
) -> None:
    async with Relay() as relay, a_pool(relay) as pool:
        await deliver(pool)
        begin = GrantPermit()

        await death(relay, pool)
        outcome = await pool.send(a_mail(), begin)

        assert outcome == Answered(ACCEPTED)
        assert begin.calls == 1
        assert (relay.sessions, len(relay.ledger)) == (2, 2)


@pytest.mark.parametrize("action", [Drop(), Answer(421, "4.7.0 slow down")])
async def test_a_fresh_session_that_dies_is_not_replaced(action: Action) -> None:
    async with Relay() as relay, a_pool(relay) as pool:
        await deliver(pool)
        relay.script(At.MAIL, action)

        outcome = await deliver(pool)

        assert outcome != Answered(ACCEPTED)
        assert relay.sessions == 2


async def test_a_session_that_cannot_be_reset_is_replaced() -> None:
    async with Relay() as relay, a_pool(relay) as pool:
        relay.script(At.RCPT, Answer(550, "5.1.1 no such user"), nth=1)
        relay.script(At.RSET, Answer(502, "5.5.1 what"))

        refused, accepted = await deliver(pool), await deliver(pool)

        assert isinstance(refused, Answered)
        assert accepted == Answered(ACCEPTED)
        assert relay.sessions == 2


async def test_a_mail_that_got_no_permit_leaves_no_trace() -> None:
    async with Relay() as relay, a_pool(relay, sessions=1) as pool:
        await pool.send(a_mail(), refuse_permit)

        assert await deliver(pool) == Answered(ACCEPTED)
        assert (relay.sessions, len(relay.ledger), relay.violations) == (2, 1, [])


async def test_a_relay_that_never_answers_one_dot_holds_up_that_mail_only() -> None:
    async with Relay() as relay, a_pool(relay, sessions=2) as pool, asyncio.TaskGroup() as tasks:
        relay.script(At.BODY, Hang(asyncio.Event()), to="slow@example.org")
        slow = tasks.create_task(deliver(pool, a_mail(recipient="slow@example.org")))
        await until(lambda: relay.applied_actions)

        async with asyncio.timeout(1):
            assert await deliver_many(pool, 50) == [Answered(ACCEPTED)] * 50

        assert not slow.done()
        slow.cancel()


async def test_a_relay_failure_is_an_outcome_and_passes() -> None:
    relay = Relay(port=free_port())
    async with a_pool(relay) as pool:
        assert isinstance(await deliver(pool), Broken)

        async with relay:
            assert await deliver(pool) == Answered(ACCEPTED)


async def test_a_corrected_password_counts_at_the_next_login() -> None:
    passwords = ["wrong", "right"]
    login = {"username": "ada", "password": lambda: passwords.pop(0)}
    async with Relay(users={"ada": "right"}) as relay, a_pool(relay, login=login) as pool:
        refused, accepted = await deliver(pool), await deliver(pool)

        assert isinstance(refused, Answered)
        assert (refused.reply.stage, refused.reply.code) == (Stage.AUTH, 535)
        assert accepted == Answered(ACCEPTED)


async def test_a_malformed_mail_is_a_mistake_and_not_an_outcome() -> None:
    async with Relay() as relay, a_pool(relay) as pool:
        with pytest.raises(MalformedMail, match="forbids"):
            await deliver(pool, a_mail(recipient="a@x.org>\r\nQUIT"))

        assert relay.sessions == 0


async def test_cancelled_mails_keep_no_slot() -> None:
    async with Relay() as relay, a_pool(relay, sessions=2) as pool, asyncio.TaskGroup() as tasks:
        relay.script(At.DATA, Hang())
        sending = [tasks.create_task(deliver(pool)) for _ in range(5)]
        await until(lambda: len(relay.applied_actions) == 2)

        for task in sending:
            task.cancel()
        await asyncio.wait(sending)
        relay.clear_rules()

        assert await deliver_many(pool, 4) == [Answered(ACCEPTED)] * 4
        assert len(relay.ledger) == 4


async def test_on_closing_idle_sessions_say_quit_and_wait_no_longer_than_allowed() -> None:
    timeouts = Timeouts(quit=timedelta(seconds=0.1))
    async with Relay() as relay:
        relay.script(At.QUIT, Hang(), nth=1)
        async with asyncio.timeout(1), a_pool(relay, timeouts) as pool:
            await deliver_many(pool, 3)

        assert (relay.count_commands("QUIT"), pool.connections) == (3, 0)
        await until(lambda: not relay.open)


async def test_on_closing_a_mail_under_way_becomes_an_outcome() -> None:
    async with Relay() as relay, asyncio.TaskGroup() as tasks:
        relay.script(At.BODY, Hang(asyncio.Event()))
        async with a_pool(relay, sessions=1) as pool:
            started = tasks.create_task(deliver(pool))
            waiting = tasks.create_task(deliver(pool))
            await until(lambda: relay.applied_actions)

        assert await started == Broken(Stage.BODY, "the session was aborted")
        assert await waiting == Broken(Stage.CONNECT, "the service is stopping")


async def test_a_session_that_opens_while_the_pool_closes_is_given_up() -> None:
    go_on = asyncio.Event()
    async with Relay() as relay, asyncio.TaskGroup() as tasks:
        relay.script(At.EHLO, Hang(go_on))
        async with a_pool(relay) as pool:
            sending = tasks.create_task(deliver(pool))
            await until(lambda: relay.applied_actions)
        go_on.set()

        assert await sending == Broken(Stage.CONNECT, "the service is stopping")
        await until(lambda: not relay.open)
        assert relay.ledger == []


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_an_outcome_is_true_whatever_the_relay_does(seed: int) -> None:
    async with Relay(requires_rset=True, always_354=seed == 2) as relay:
        relay.add_rule(Faults(seed=seed, share=0.2))
        async with a_pool(relay, sessions=8, mails=20) as pool:
            outcomes = await deliver_many(pool, 400)
        await until(lambda: not relay.open)

        kept = Counter(mail.recipient for mail in relay.ledger)
        for number, outcome in enumerate(outcomes):
            assert kept[f"r{number}@example.org"] in possible_copies(outcome), outcome
        assert all(mail.content == CONTENT for mail in relay.ledger)
        assert relay.most_open <= 8
        assert relay.violations == []


def possible_copies(outcome: Transmission) -> set[int]:
    """How often a mail with this outcome may be at the relay."""
    match outcome:
        case Answered(reply) if reply == ACCEPTED:
            return {1}
        case Broken(Stage.BODY):
            return {0, 1}
    return {0}
