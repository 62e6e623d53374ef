"""Breaker, gate and choice of the relay; the relays themselves are scripted."""

import asyncio
import time

from gcsched.domain.smtp_reply import Answered, Broken, Reply, Stage, Withheld
from gcsched.usecases.ports import Carried
from gcsched.usecases.relays.failover import Relays
from gcsched.usecases.relays.protected_relay import GuardedRelay
from tests.support.builders import a_job
from tests.support.clocks import Seconds
from tests.support.log_events import Events
from tests.support.mails import Permit, a_mail
from tests.support.relay.scripted import TAKEN, ScriptedMailer, a_pacer, relays_over

REFUSED = Broken(Stage.CONNECT, "the connection failed: refused")
WRONG_PASSWORD = Answered(Reply.parse(Stage.AUTH, 535, "5.7.8 wrong password"))
NOBODY = Carried(relay="", transmission=Withheld("no relay can be used now"))


async def carry(relays: Relays, times: int = 1) -> list[Carried]:
    return [await relays.carry(a_mail(), Permit()) for _ in range(times)]


async def test_it_tells_which_relay_carried_a_mail(clock: Seconds) -> None:
    relays = relays_over(clock, ScriptedMailer())

    assert await carry(relays) == [Carried(relay="first:25", transmission=TAKEN)]


async def test_five_troubles_shut_the_gate_and_what_is_claimed_already_tries_nothing(
    clock: Seconds,
) -> None:
    mailer = ScriptedMailer(says=REFUSED)
    relays = relays_over(clock, mailer)

    carried = await carry(relays, 50)

    assert len(mailer.asked) == 5
    assert carried[5:] == [NOBODY] * 45
    assert await relays.grant(64) == 0


async def test_when_a_probe_is_due_one_mail_is_granted_and_no_second_one(clock: Seconds) -> None:
    relays = relays_over(clock, ScriptedMailer(says=REFUSED))
    await carry(relays, 5)

    clock.now += 1.0

    assert [await relays.grant(64), await relays.grant(64)] == [1, 0]


async def test_a_probe_that_found_nothing_to_carry_stays_due(clock: Seconds) -> None:
    relays = relays_over(clock, ScriptedMailer(says=REFUSED))
    await carry(relays, 5)
    clock.now += 1.0

    granted = await relays.grant(64)
    await relays.refund(granted)

    assert await relays.grant(64) == 1


async def test_a_probe_whose_mail_never_came_to_be_sent_is_granted_again(clock: Seconds) -> None:
    relays = relays_over(clock, ScriptedMailer(says=REFUSED))
    await carry(relays, 5)
    clock.now += 1.0
    await relays.grant(64)

    clock.now += 1.0

    assert await relays.grant(64) == 1


async def test_a_probe_that_fails_keeps_the_gate_shut_for_longer(clock: Seconds) -> None:
    mailer = ScriptedMailer(says=REFUSED)
    relays = relays_over(clock, mailer)
    await carry(relays, 5)
    clock.now += 1.0
    await carry(relays)

    clock.now += 1.9
    too_early = await relays.grant(64)
    clock.now += 0.1

    assert len(mailer.asked) == 6
    assert (too_early, await relays.grant(64)) == (0, 1)


async def test_while_a_probe_is_under_way_nobody_else_tries(clock: Seconds) -> None:
    mailer = ScriptedMailer(says=REFUSED)
    relays = relays_over(clock, mailer)
    await carry(relays, 5)
    clock.now += 1.0
    mailer.answers.clear()
    probe = asyncio.create_task(relays.carry(a_mail(), Permit()))
    await asyncio.sleep(0)

    clock.now += 3600
    meanwhile = (await carry(relays), await relays.grant(64))
    mailer.answers.set()
    await probe

    assert meanwhile == ([NOBODY], 0)
    assert len(mailer.asked) == 6


async def test_a_probe_that_succeeds_opens_the_gate_for_all(clock: Seconds) -> None:
    mailer = ScriptedMailer(says=REFUSED)
    relays = relays_over(clock, mailer)
    await carry(relays, 5)
    waiting = asyncio.create_task(relays.wait_open())
    await asyncio.sleep(0)
    mailer.says = TAKEN
    clock.now += 1.0

    await carry(relays)

    await asyncio.wait_for(waiting, 1)
    assert await relays.grant(64) == 64


async def test_who_waits_is_woken_when_the_probe_is_due() -> None:
    mailer = ScriptedMailer(says=REFUSED)
    guard = GuardedRelay(
        mailer=mailer,
        pacer=a_pacer(time.monotonic),
        login="",
        meanwhile="",
        chance=lambda: 0.0,
    )
    relays = Relays([guard])
    await carry(relays, 5)

    async with asyncio.timeout(5):
        await relays.wait_open()

    assert await relays.grant(64) == 1


async def test_a_cancelled_probe_leaves_the_breaker_usable(clock: Seconds) -> None:
    mailer = ScriptedMailer(says=REFUSED)
    relays = relays_over(clock, mailer)
    await carry(relays, 5)
    clock.now += 1.0
    mailer.answers.clear()
    probe = asyncio.create_task(relays.carry(a_mail(), Permit()))
    await asyncio.sleep(0)
    probe.cancel()
    await asyncio.wait({probe})

    clock.now += 2.0

    assert await relays.grant(64) == 1


async def test_while_the_first_is_down_the_second_takes_over(clock: Seconds) -> None:
    first, second = ScriptedMailer("first:25", says=REFUSED), ScriptedMailer("second:25")
    relays = relays_over(clock, first, second)

    carried = await carry(relays, 8)

    assert [each.relay for each in carried] == ["first:25"] * 4 + ["second:25"] * 4
    assert await relays.grant(64) == 64


async def test_the_first_is_probed_by_one_mail_and_handed_back_to_when_it_answers(
    clock: Seconds,
) -> None:
    first, second = ScriptedMailer("first:25", says=REFUSED), ScriptedMailer("second:25")
    relays = relays_over(clock, first, second)
    await carry(relays, 5)

    clock.now += 1.0
    in_vain = await carry(relays, 3)
    first.says = TAKEN
    clock.now += 2.0
    answered = await carry(relays, 3)

    assert len(first.asked) == 5 + 1 + 3
    assert in_vain == [Carried(relay="second:25", transmission=TAKEN)] * 3
    assert [each.relay for each in answered] == ["first:25"] * 3


async def test_a_probe_that_broke_when_a_body_may_have_begun_is_not_tried_elsewhere(
    clock: Seconds,
) -> None:
    first, second = ScriptedMailer("first:25", says=REFUSED), ScriptedMailer("second:25")
    relays = relays_over(clock, first, second)
    await carry(relays, 5)
    clock.now += 1.0
    first.says = Broken(Stage.BODY, "the connection broke")

    assert await carry(relays) == [Carried(relay="first:25", transmission=first.says)]


async def test_with_both_down_the_gate_is_shut(clock: Seconds) -> None:
    first, second = ScriptedMailer("first:25", says=REFUSED), ScriptedMailer("2:25", says=REFUSED)
    relays = relays_over(clock, first, second)

    await carry(relays, 20)

    assert (len(first.asked), len(second.asked)) == (5, 5)
    assert await relays.grant(64) == 0


async def test_trouble_is_one_event_at_the_begin_and_one_at_the_end(
    clock: Seconds, events: Events
) -> None:
    mailer = ScriptedMailer(says=REFUSED)
    relays = relays_over(clock, mailer)

    await carry(relays, 20)
    clock.now += 1.0
    await carry(relays, 20)
    mailer.says = TAKEN
    clock.now += 2.0
    await carry(relays, 20)

    assert events == [
        {
            "event": "relay is down",
            "log_level": "warning",
            "relay": "first:25",
            "error": "CONNECT: the connection failed: refused",
            "advice": "mails are held back from it and it is probed; sending waits",
        },
        {"event": "relay is back", "log_level": "info", "relay": "first:25", "probes": 2},
    ]


async def test_a_refused_login_is_told_with_what_to_do(clock: Seconds, events: Events) -> None:
    relays = relays_over(clock, ScriptedMailer(says=WRONG_PASSWORD))

    await carry(relays, 20)

    (event,) = events
    assert event["error"] == "535 5.7.8 at AUTH: wrong password"
    assert event["advice"] == (
        "the relay refuses the login: correct GCSCHED_SMTP_PASSWORD or its file; sending waits"
    )


async def test_trouble_is_told_without_the_words_of_the_mail_that_met_it(
    clock: Seconds, events: Events
) -> None:
    text = "4.3.0 going down, 'Stand-up' for <ada> waits"
    mailer = ScriptedMailer(says=Answered(Reply.parse(Stage.RCPT, 421, text)))
    relays = relays_over(clock, mailer)

    for _ in range(20):
        await relays.carry(a_mail(letter=a_job()), Permit())

    assert events[0]["error"] == "421 4.3.0 at RCPT: going down, '(hidden)' for <(hidden)> waits"
