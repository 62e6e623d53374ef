"""How many sessions a real relay gets, and which mail gets which of them."""

import asyncio
from dataclasses import dataclass, field

import pytest

from gcsched.adapters.smtp import session_limit
from gcsched.domain.smtp_reply import Answered
from tests.support.mails import a_mail
from tests.support.relay.client import KEPT, a_pool, deliver, deliver_many, deliver_to, names_of
from tests.support.relay.server import Action, Answer, At, Drop, Hang, Moment, Relay
from tests.support.wait import until


@dataclass
class ConnectionLimit:
    """Takes *most* sessions at a time; refuses others with 421."""

    relay: Relay
    most: int
    admitted: set[int] = field(default_factory=set)
    refused: int = 0

    def __call__(self, moment: Moment) -> Action | None:
        if moment.at != At.CONNECT:
            return None
        self.admitted &= self.relay.open_sessions
        if len(self.admitted) < self.most:
            self.admitted.add(moment.session)
            return None
        self.refused += 1
        return Answer(421, "4.7.0 too many connections")


async def test_sessions_are_added_while_mails_wait() -> None:
    async with Relay() as relay, a_pool(relay, sessions=20) as pool:
        assert await deliver_many(pool, 250) == [KEPT] * 250

        assert 16 < relay.most_open <= 20
        assert len(relay.ledger) == 250


async def test_a_session_more_than_the_relay_takes_fails_no_mail() -> None:
    async with Relay() as relay, a_pool(relay, sessions=32) as pool:
        rule = ConnectionLimit(relay, most=16)
        relay.add_rule(rule)

        assert await deliver_many(pool, 250) == [KEPT] * 250

        assert 1 <= rule.refused <= 8  # of 16: some more may be on their way when one is refused
        assert pool.limit == 16


async def test_a_relay_that_takes_few_sessions_gets_just_these() -> None:
    async with Relay() as relay, a_pool(relay, sessions=16) as pool:
        rule = ConnectionLimit(relay, most=5)
        relay.add_rule(rule)
        assert await deliver(pool) == KEPT

        assert await deliver_many(pool, 60) == [KEPT] * 60

        assert (rule.refused, pool.limit, pool.connections) == (11, 5, 5)


@pytest.mark.parametrize("takes_more", [True, False])
async def test_a_mail_does_not_wait_for_sessions_that_are_stuck(
    monkeypatch: pytest.MonkeyPatch, *, takes_more: bool
) -> None:
    go_on = asyncio.Event()
    async with Relay() as relay, a_pool(relay, sessions=4) as pool, asyncio.TaskGroup() as tasks:
        rule = ConnectionLimit(relay, most=1)
        relay.add_rule(rule)
        relay.script(At.BODY, Hang(go_on), nth=1)
        stuck = tasks.create_task(deliver_to(pool, "stuck"))
        await until(lambda: relay.applied_actions)
        second = tasks.create_task(deliver_to(pool, "second"))
        await until(lambda: pool.limit == 1)
        pool.retry_refused()
        assert pool.connections == 1

        monkeypatch.setattr(session_limit, "STUCK_SECONDS", 0.0)
        rule.most += takes_more
        pool.retry_refused()

        outcome = await second
        assert isinstance(outcome, Answered)
        assert outcome.reply.code == (250 if takes_more else 421)
        assert not stuck.done()
        go_on.set()


async def test_a_relay_that_takes_no_session_fails_each_mail_at_once() -> None:
    async with Relay() as relay, a_pool(relay, sessions=4) as pool:
        rule = ConnectionLimit(relay, most=0)
        relay.add_rule(rule)

        outcomes = await deliver_many(pool, 12)

        assert {type(each) for each in outcomes} == {Answered}
        assert rule.refused == 12


async def test_a_complaint_halves_the_sessions_and_the_others_are_kept() -> None:
    async with Relay() as relay, a_pool(relay, sessions=8) as pool:
        relay.script(At.BODY, Answer(451, "4.7.0 slow down"), nth=20)

        outcomes = await deliver_many(pool, 120)

        assert outcomes.count(KEPT) == 119
        assert (pool.limit, relay.sessions) == (4, 8)
        await until(lambda: pool.connections == 4)


async def test_mails_that_the_relay_cannot_take_free_their_session_for_the_others() -> None:
    async with Relay(offers=frozenset()) as relay, a_pool(relay, sessions=1) as pool:
        foreign = a_mail(recipient="zoë@example.org", smtputf8=True)

        async with asyncio.timeout(5):
            refused, accepted = await asyncio.gather(deliver(pool, foreign), deliver(pool))

        assert isinstance(refused, Answered)
        assert (refused.reply.code, accepted) == (553, KEPT)


async def test_a_mail_that_found_its_session_dead_goes_before_the_others() -> None:
    async with Relay() as relay, a_pool(relay, sessions=1) as pool:
        await deliver_to(pool, "kept")
        relay.script(At.MAIL, Drop(), nth=2)

        assert await deliver_many(pool, 4) == [KEPT] * 4

        assert names_of(relay) == ["kept", "r0", "r1", "r2", "r3"]


async def test_a_mail_that_found_its_session_dead_opens_a_new_one_though_others_are_idle() -> None:
    async with Relay() as relay, a_pool(relay, sessions=4) as pool:
        await deliver_many(pool, 3)
        relay.script(At.MAIL, Drop(), nth=4)

        assert await deliver_to(pool, "last") == KEPT

        assert (relay.sessions, pool.idle) == (4, 3)
