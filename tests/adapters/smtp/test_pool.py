"""The pool of sessions with one relay: their number and their lifetime."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from gcsched.adapters.smtp.relay_settings import Timeouts
from gcsched.domain.smtp_reply import Answered
from tests.support.relay.client import ACCEPTED, a_pool, deliver, deliver_many
from tests.support.relay.server import At, Drop, Hang, Relay
from tests.support.wait import until

NOW = timedelta()


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
async def test_many_mails_go_through_few_sessions(security: str) -> None:
    async with Relay(security=security) as relay:
        async with a_pool(relay, sessions=3) as pool:
            outcomes = await deliver_many(pool, 60)

        assert outcomes == [Answered(ACCEPTED)] * 60
        assert (relay.sessions, len(relay.ledger), len(relay.per_recipient)) == (3, 60, 60)
        assert relay.violations == []


async def test_no_session_is_added_while_no_mail_waits() -> None:
    async with Relay() as relay, a_pool(relay, sessions=32) as pool:
        for _ in range(3):
            await deliver_many(pool, 16)

        assert (relay.most_open, pool.limit) == (16, 16)


async def test_one_mail_after_the_other_needs_one_session() -> None:
    async with Relay() as relay, a_pool(relay) as pool:
        for _ in range(5):
            assert await deliver(pool) == Answered(ACCEPTED)

        assert (relay.sessions, pool.connections, pool.idle) == (1, 1, 1)


async def test_the_most_recently_used_session_is_taken_first() -> None:
    async with Relay() as relay, a_pool(relay) as pool:
        await deliver_many(pool, 3)
        await deliver(pool)
        last_used = relay.ledger[-1].session

        for _ in range(3):
            await deliver(pool)

        assert {kept.session for kept in relay.ledger[-3:]} == {last_used}


async def test_an_idle_session_is_closed_with_quit() -> None:
    async with Relay() as relay, a_pool(relay, idle=NOW) as pool:
        await deliver(pool)

        pool.close_expired()

        await until(lambda: not pool.connections and not relay.open)
        assert relay.count_commands("QUIT") == 1


async def test_a_session_that_was_idle_for_too_long_is_not_used_again() -> None:
    async with Relay() as relay, a_pool(relay, idle=NOW) as pool:
        assert [await deliver(pool), await deliver(pool)] == [Answered(ACCEPTED)] * 2

        assert relay.sessions == 2


async def test_the_sweep_runs_until_it_is_stopped() -> None:
    stop = asyncio.Event()
    async with Relay() as relay, a_pool(relay, idle=timedelta(seconds=0.1)) as pool:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(pool.run(stop), name="sweep")
            await deliver(pool)
            await until(lambda: not relay.open)
            stop.set()

        assert relay.count_commands("QUIT") == 1


@pytest.mark.parametrize(("limits", "most_mails"), [({"mails": 10}, 10), ({"age": NOW}, 1)])
async def test_an_expired_session_quits_and_never_counts_beside_its_successor(
    limits: dict[str, Any], most_mails: int
) -> None:
    async with Relay() as relay:
        async with a_pool(relay, sessions=2, **limits) as pool:
            outcomes = await deliver_many(pool, 40)

        most_used = max(Counter(kept.session for kept in relay.ledger).values())
        assert outcomes == [Answered(ACCEPTED)] * 40
        assert most_used == most_mails
        assert (relay.most_open, relay.count_commands("QUIT")) == (2, relay.sessions)


async def test_a_session_that_quits_keeps_its_slot_until_it_is_closed() -> None:
    timeouts = Timeouts(quit=timedelta(seconds=0.1))
    async with Relay() as relay, a_pool(relay, timeouts, sessions=1, mails=1) as pool:
        relay.script(At.QUIT, Hang())

        assert await deliver_many(pool, 3) == [Answered(ACCEPTED)] * 3

        assert (relay.sessions, relay.most_open) == (3, 1)


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_relay_that_hangs_up_with_its_goodbye_causes_no_error(security: str) -> None:
    async with Relay(security=security) as relay:
        relay.script(At.QUIT, Drop(after=True))
        async with a_pool(relay, sessions=4, mails=1) as pool:
            assert await deliver_many(pool, 40) == [Answered(ACCEPTED)] * 40


async def test_a_session_is_busy_while_it_carries_a_mail() -> None:
    async with Relay() as relay, a_pool(relay) as pool:
        await deliver(pool)
        assert (pool.connections, pool.busy) == (1, 0)
        relay.script(At.MAIL, Hang())

        sending = asyncio.create_task(deliver(pool))
        await until(lambda: pool.busy == 1)
        sending.cancel()
        await asyncio.wait({sending})

        assert pool.busy == 0
