"""Breaker, gate and choice of the relay; the relays themselves are scripted."""

import asyncio
import time

from gcsched.domain.smtp_reply import Answered, Broken, Reply, Stage, Withheld
from gcsched.usecases.ports import SendResult
from gcsched.usecases.relays.failover import FailoverTransport
from gcsched.usecases.relays.protected_relay import ProtectedRelay
from tests.support.builders import a_job
from tests.support.clocks import FakeMonotonicClock
from tests.support.log_events import Events
from tests.support.mails import GrantPermit, a_mail
from tests.support.relay.scripted import ACCEPTED, ScriptedMailer, a_rate_limiter, make_relays

REFUSED = Broken(Stage.CONNECT, "the connection failed: refused")
WRONG_PASSWORD = Answered(Reply.parse(Stage.AUTH, 535, "5.7.8 wrong password"))
NO_RELAY = SendResult(relay="", transmission=Withheld("no relay can be used now"))


async def send_mails(relays: FailoverTransport, times: int = 1) -> list[SendResult]:
    return [await relays.send(a_mail(), GrantPermit()) for _ in range(times)]


async def test_the_result_names_the_relay(clock: FakeMonotonicClock) -> None:
    relays = make_relays(clock, ScriptedMailer())

    assert await send_mails(relays) == [SendResult(relay="first:25", transmission=ACCEPTED)]


async def test_five_failures_shut_the_gate_and_claimed_jobs_try_nothing(
    clock: FakeMonotonicClock,
) -> None:
    mailer = ScriptedMailer(outcome=REFUSED)
    relays = make_relays(clock, mailer)

    result = await send_mails(relays, 50)

    assert len(mailer.recipients) == 5
    assert result[5:] == [NO_RELAY] * 45
    assert await relays.grant(64) == 0


async def test_when_a_probe_is_due_exactly_one_mail_is_granted(
    clock: FakeMonotonicClock,
) -> None:
    relays = make_relays(clock, ScriptedMailer(outcome=REFUSED))
    await send_mails(relays, 5)

    clock.now += 1.0

    assert [await relays.grant(64), await relays.grant(64)] == [1, 0]


async def test_a_probe_without_a_mail_stays_due(clock: FakeMonotonicClock) -> None:
    relays = make_relays(clock, ScriptedMailer(outcome=REFUSED))
    await send_mails(relays, 5)
    clock.now += 1.0

    granted = await relays.grant(64)
    await relays.refund(granted)

    assert await relays.grant(64) == 1


async def test_a_probe_whose_mail_was_not_sent_is_granted_again(
    clock: FakeMonotonicClock,
) -> None:
    relays = make_relays(clock, ScriptedMailer(outcome=REFUSED))
    await send_mails(relays, 5)
    clock.now += 1.0
    await relays.grant(64)

    clock.now += 1.0

    assert await relays.grant(64) == 1


async def test_a_probe_that_fails_keeps_the_gate_shut_for_longer(clock: FakeMonotonicClock) -> None:
    mailer = ScriptedMailer(outcome=REFUSED)
    relays = make_relays(clock, mailer)
    await send_mails(relays, 5)
    clock.now += 1.0
    await send_mails(relays)

    clock.now += 1.9
    too_early = await relays.grant(64)
    clock.now += 0.1

    assert len(mailer.recipients) == 6
    assert (too_early, await relays.grant(64)) == (0, 1)


async def test_while_a_probe_is_under_way_no_other_mail_is_tried(clock: FakeMonotonicClock) -> None:
    mailer = ScriptedMailer(outcome=REFUSED)
    relays = make_relays(clock, mailer)
    await send_mails(relays, 5)
    clock.now += 1.0
    mailer.may_answer.clear()
    probe = asyncio.create_task(relays.send(a_mail(), GrantPermit()))
    await asyncio.sleep(0)

    clock.now += 3600
    meanwhile = (await send_mails(relays), await relays.grant(64))
    mailer.may_answer.set()
    await probe

    assert meanwhile == ([NO_RELAY], 0)
    assert len(mailer.recipients) == 6


async def test_a_probe_that_succeeds_opens_the_gate_for_all(clock: FakeMonotonicClock) -> None:
    mailer = ScriptedMailer(outcome=REFUSED)
    relays = make_relays(clock, mailer)
    await send_mails(relays, 5)
    waiting = asyncio.create_task(relays.wait_open())
    await asyncio.sleep(0)
    mailer.outcome = ACCEPTED
    clock.now += 1.0

    await send_mails(relays)

    await asyncio.wait_for(waiting, 1)
    assert await relays.grant(64) == 64


async def test_a_waiting_claim_is_woken_when_the_probe_is_due() -> None:
    mailer = ScriptedMailer(outcome=REFUSED)
    protected = ProtectedRelay(
        mailer=mailer,
        rate_limiter=a_rate_limiter(time.monotonic),
        password_variable="",
        while_down="",
        chance=lambda: 0.0,
    )
    relays = FailoverTransport([protected])
    await send_mails(relays, 5)

    async with asyncio.timeout(5):
        await relays.wait_open()

    assert await relays.grant(64) == 1


async def test_a_cancelled_probe_leaves_the_breaker_usable(clock: FakeMonotonicClock) -> None:
    mailer = ScriptedMailer(outcome=REFUSED)
    relays = make_relays(clock, mailer)
    await send_mails(relays, 5)
    clock.now += 1.0
    mailer.may_answer.clear()
    probe = asyncio.create_task(relays.send(a_mail(), GrantPermit()))
    await asyncio.sleep(0)
    probe.cancel()
    await asyncio.wait({probe})

    clock.now += 2.0

    assert await relays.grant(64) == 1


async def test_while_the_first_is_down_the_second_takes_over(clock: FakeMonotonicClock) -> None:
    first, second = ScriptedMailer("first:25", outcome=REFUSED), ScriptedMailer("second:25")
    relays = make_relays(clock, first, second)

    result = await send_mails(relays, 8)

    assert [each.relay for each in result] == ["first:25"] * 4 + ["second:25"] * 4
    assert await relays.grant(64) == 64


async def test_the_first_relay_is_probed_by_one_mail_and_used_again_when_it_answers(
    clock: FakeMonotonicClock,
) -> None:
    first, second = ScriptedMailer("first:25", outcome=REFUSED), ScriptedMailer("second:25")
    relays = make_relays(clock, first, second)
    await send_mails(relays, 5)

    clock.now += 1.0
    probed = await send_mails(relays, 3)
    first.outcome = ACCEPTED
    clock.now += 2.0
    answered = await send_mails(relays, 3)

    assert len(first.recipients) == 5 + 1 + 3
    assert probed == [SendResult(relay="second:25", transmission=ACCEPTED)] * 3
    assert [each.relay for each in answered] == ["first:25"] * 3


async def test_a_probe_that_broke_after_its_body_may_have_begun_is_not_tried_elsewhere(
    clock: FakeMonotonicClock,
) -> None:
    first, second = ScriptedMailer("first:25", outcome=REFUSED), ScriptedMailer("second:25")
    relays = make_relays(clock, first, second)
    await send_mails(relays, 5)
    clock.now += 1.0
    first.outcome = Broken(Stage.BODY, "the connection broke")

    assert await send_mails(relays) == [SendResult(relay="first:25", transmission=first.outcome)]


async def test_with_both_down_the_gate_is_shut(clock: FakeMonotonicClock) -> None:
    first, second = (
        ScriptedMailer("first:25", outcome=REFUSED),
        ScriptedMailer("2:25", outcome=REFUSED),
    )
    relays = make_relays(clock, first, second)

    await send_mails(relays, 20)

    assert (len(first.recipients), len(second.recipients)) == (5, 5)
    assert await relays.grant(64) == 0


async def test_an_outage_is_one_event_at_its_start_and_one_at_its_end(
    clock: FakeMonotonicClock, events: Events
) -> None:
    mailer = ScriptedMailer(outcome=REFUSED)
    relays = make_relays(clock, mailer)

    await send_mails(relays, 20)
    clock.now += 1.0
    await send_mails(relays, 20)
    mailer.outcome = ACCEPTED
    clock.now += 2.0
    await send_mails(relays, 20)

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


async def test_a_refused_login_is_logged_with_advice(
    clock: FakeMonotonicClock, events: Events
) -> None:
    relays = make_relays(clock, ScriptedMailer(outcome=WRONG_PASSWORD))

    await send_mails(relays, 20)

    (event,) = events
    assert event["error"] == "535 5.7.8 at AUTH: wrong password"
    assert event["advice"] == (
        "the relay refuses the login: correct GCSCHED_SMTP_PASSWORD or its file; sending waits"
    )


async def test_a_failure_is_logged_without_the_text_of_the_mail(
    clock: FakeMonotonicClock, events: Events
) -> None:
    text = "4.3.0 going down, 'Stand-up' for <ada> waits"
    mailer = ScriptedMailer(outcome=Answered(Reply.parse(Stage.RCPT, 421, text)))
    relays = make_relays(clock, mailer)

    for _ in range(20):
        await relays.send(a_mail(personal_texts=a_job()), GrantPermit())

    assert events[0]["error"] == "421 4.3.0 at RCPT: going down, '(hidden)' for <(hidden)> waits"
