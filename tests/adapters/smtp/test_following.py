"""A body and the envelope of the mail that waits, with a real relay.

The mail that follows a body must be safe whatever the relay does with that body.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from gcsched.adapters.smtp.pool import CLOSING
from gcsched.adapters.smtp.relay_settings import Timeouts
from gcsched.domain.smtp_reply import Broken, Stage
from tests.support.mails import GrantPermit, a_mail
from tests.support.relay.client import KEPT, a_pool, deliver, deliver_many, deliver_to, names_of
from tests.support.relay.server import Action, At, Drop, Hang, Moment, Relay
from tests.support.wait import until

SOON = timedelta(seconds=0.05)


@dataclass
class BodyRule:
    """At a body with something behind it: discard that, and hang up if *hangs_up*."""

    relay: Relay
    hangs_up: bool = False
    followed: int = 0

    def __call__(self, moment: Moment) -> Action | None:
        if moment.at != At.BODY or not self.relay.discard_unread(moment.session):
            return None
        self.followed += 1
        return Drop() if self.hangs_up else None


@pytest.mark.parametrize("security", ["none", "tls"])
async def test_the_envelope_of_a_mail_that_waits_comes_with_the_body_before_it(
    security: str,
) -> None:
    go_on = asyncio.Event()
    async with (
        Relay(security=security) as relay,
        a_pool(relay, sessions=1) as pool,
        asyncio.TaskGroup() as tasks,
    ):
        relay.script(At.BODY, Hang(go_on), nth=1)
        sending = tasks.create_task(deliver_many(pool, 2))
        await until(lambda: relay.applied_actions)

        assert relay.unread.endswith(b"\r\nRCPT TO:<r1@example.org>\r\nDATA\r\n")
        go_on.set()
        assert await sending == [KEPT] * 2
        assert (names_of(relay), relay.violations) == (["r0", "r1"], [])


async def test_no_envelope_comes_with_the_body_of_a_lone_mail() -> None:
    go_on = asyncio.Event()
    async with Relay() as relay, a_pool(relay, sessions=2) as pool, asyncio.TaskGroup() as tasks:
        relay.script(At.BODY, Hang(go_on))
        sending = tasks.create_task(deliver_many(pool, 2))
        await until(lambda: len(relay.applied_actions) == 2)

        assert relay.unread == b""
        go_on.set()
        assert await sending == [KEPT] * 2


@pytest.mark.parametrize("offers", [{"PIPELINING"}, set()], ids=["group", "one"])
async def test_mails_of_one_session_keep_their_order(offers: set[str]) -> None:
    async with (
        Relay(offers=frozenset(offers)) as relay,
        a_pool(relay, sessions=1, mails=8) as pool,
    ):
        assert await deliver_many(pool, 20) == [KEPT] * 20

        assert names_of(relay) == [f"r{number}" for number in range(20)]
        assert (relay.sessions, relay.violations) == (3, [])


async def test_a_relay_that_hangs_up_after_each_mail_gets_each_once_and_in_order() -> None:
    async with Relay() as relay, a_pool(relay, sessions=1) as pool:
        relay.script(At.BODY, Drop(after=True))

        with capture_logs() as events:
            outcomes = await deliver_many(pool, 6)

        assert outcomes == [KEPT] * 6
        assert names_of(relay) == [f"r{number}" for number in range(6)]
        assert [each["event"] for each in events] == ["pipelining across mails given up"]


async def test_a_relay_that_discards_what_follows_a_body_is_tried_twice() -> None:
    timeouts = Timeouts(following_reply=SOON)
    async with Relay() as relay, a_pool(relay, timeouts, sessions=1) as pool:
        rule = BodyRule(relay)
        relay.add_rule(rule)

        with capture_logs() as events:
            outcomes = await deliver_many(pool, 8)

        assert outcomes == [KEPT] * 8
        assert Counter(names_of(relay)) == Counter(f"r{number}" for number in range(8))
        assert (rule.followed, relay.violations) == (2, [])
        assert [each["event"] for each in events] == ["pipelining across mails given up"]


async def test_a_relay_that_hangs_up_on_what_follows_leaves_two_mails_uncertain_at_most() -> None:
    async with Relay() as relay, a_pool(relay, sessions=4) as pool:
        rule = BodyRule(relay, hangs_up=True)
        relay.add_rule(rule)

        with capture_logs() as events:
            outcomes = await deliver_many(pool, 40)

        lost = [each for each in outcomes if each != KEPT]
        assert [each.stage for each in lost if isinstance(each, Broken)] == [Stage.BODY] * 2
        assert (len(lost), rule.followed, len(relay.ledger)) == (2, 2, 38)
        assert [each["event"] for each in events] == ["pipelining across mails given up"]


async def test_a_mail_does_not_wait_behind_a_slow_body_but_goes_by_another_session() -> None:
    answers = {number: asyncio.Event() for number in (1, 2)}
    async with (
        Relay() as relay,
        a_pool(relay, Timeouts(following_wait=SOON), sessions=2) as pool,
        asyncio.TaskGroup() as tasks,
    ):
        for number, answer in answers.items():
            relay.script(At.BODY, Hang(answer), nth=number)
        sending = [tasks.create_task(deliver_to(pool, name)) for name in ("r0", "r1", "last")]
        await until(lambda: len(relay.applied_actions) == 2)
        slow = relay.applied_actions[0][0]  # a mail follows the first body
        assert relay.discard_unread(slow.session).endswith(b"<last@example.org>\r\nDATA\r\n")

        answers[2].set()
        assert await sending[2] == KEPT
        assert names_of(relay)[-1:] == ["last"]
        assert sum(task.done() for task in sending) == 2

        answers[1].set()
        await asyncio.wait(sending)
        assert [task.result() for task in sending] == [KEPT] * 3
        assert len(relay.ledger) == 3


async def test_when_the_pool_closes_only_the_mail_with_a_body_becomes_uncertain() -> None:
    async with Relay() as relay, asyncio.TaskGroup() as tasks:
        relay.script(At.BODY, Hang(asyncio.Event()))
        async with a_pool(relay, sessions=1) as pool:
            sending = tasks.create_task(deliver_many(pool, 3))
            await until(lambda: relay.unread)

        assert await sending == [Broken(Stage.BODY, "the session was aborted"), CLOSING, CLOSING]


@pytest.mark.parametrize("cancelled", [0, 1], ids=["the body", "what follows it"])
async def test_a_mail_that_is_cancelled_leaves_the_other_one_and_the_next_untouched(
    cancelled: int,
) -> None:
    go_on = asyncio.Event()
    async with Relay() as relay, a_pool(relay, sessions=1) as pool, asyncio.TaskGroup() as tasks:
        relay.script(At.BODY, Hang(go_on), nth=1)
        sending = [tasks.create_task(deliver_to(pool, name)) for name in ("r0", "r1", "r2")]
        await until(lambda: relay.unread)

        sending[cancelled].cancel()
        await asyncio.wait([sending[cancelled]])
        go_on.set()
        others = [task for task in sending if task is not sending[cancelled]]

        assert await asyncio.gather(*others) == [KEPT] * 2
        assert f"r{cancelled}" not in names_of(relay)[1:]
        assert (pool.connections, pool.busy) == (1, 0)


async def test_the_permit_of_a_mail_that_follows_is_asked_when_the_relay_waits_for_its_body() -> (
    None
):
    go_on, begin = asyncio.Event(), GrantPermit()
    async with Relay() as relay, a_pool(relay, sessions=1) as pool, asyncio.TaskGroup() as tasks:
        relay.script(At.BODY, Hang(go_on), nth=1)
        tasks.create_task(deliver(pool))
        second = tasks.create_task(pool.send(a_mail(), begin))
        await until(lambda: relay.unread)

        assert begin.calls == 0
        go_on.set()
        assert await second == KEPT
        assert begin.calls == 1
