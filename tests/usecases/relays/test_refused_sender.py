"""A relay that refuses one of several senders: the mails of the others go on."""

from collections.abc import Sequence

import pytest

from gcsched.domain.smtp_reply import Answered, Kind, Stage
from gcsched.usecases.ports import SendResult
from gcsched.usecases.relays.failover import FailoverTransport
from tests.support.clocks import FakeMonotonicClock
from tests.support.log_events import Events
from tests.support.mails import GrantPermit, a_mail
from tests.support.relay.refusals import addresses_in_domains, kinds_of, parse_refusal
from tests.support.relay.scripted import ScriptedMailer, make_relays

GOOD, BAD = "no-reply@example.org", "payroll@example.org"
REFUSALS = [
    parse_refusal(Stage.MAIL, "553 5.7.1 sender is not yours"),
    parse_refusal(Stage.MAIL, "450 4.1.8 domain not found"),
    parse_refusal(Stage.RCPT, "553 5.7.1 sender is not yours"),
    parse_refusal(Stage.BODY, "550 5.7.60 no"),
    parse_refusal(Stage.BODY, "550 5.7.1 SPF check failed"),
]
NO_FAULT_OF_A_SENDER = parse_refusal(Stage.MAIL, "554 5.7.1 relay access denied")


async def send_from(
    relays: FailoverTransport, sender: str, recipients: Sequence[str]
) -> list[SendResult]:
    return [
        await relays.send(a_mail(sender=sender, recipient=each), GrantPermit())
        for each in recipients
    ]


def a_relay_that_refuses(
    clock: FakeMonotonicClock, refusal: Answered, *senders: str
) -> tuple[FailoverTransport, ScriptedMailer]:
    mailer = ScriptedMailer(outcomes_by_sender=dict.fromkeys(senders, refusal))
    return make_relays(clock, mailer, has_several_senders=True), mailer


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
async def test_mails_of_other_senders_go_on(
    clock: FakeMonotonicClock, events: Events, refusal: Answered
) -> None:
    relays, _ = a_relay_that_refuses(clock, refusal, BAD)

    for _ in range(20):
        refused = await send_from(relays, BAD, addresses_in_domains(10))
        accepted = await send_from(relays, GOOD, ["eve@e.org"])
        assert kinds_of([*refused, *accepted]) == [Kind.RELAY] * 10 + [Kind.ACCEPTED]
        clock.now += 5.0

    assert relays.down == {"first:25": False}
    [warning] = events
    assert (warning["event"], warning["sender"]) == ("sender refused", BAD)
    assert str(refusal.reply)[:3] in warning["error"]


async def test_the_log_repeats_a_refused_sender_after_five_minutes(
    clock: FakeMonotonicClock, events: Events
) -> None:
    relays, _ = a_relay_that_refuses(clock, REFUSALS[0], BAD)

    for _ in range(11):
        await send_from(relays, BAD, ["ada@a.org"])
        await send_from(relays, GOOD, ["eve@e.org"])
        clock.now += 60.0

    assert [each["event"] for each in events] == ["sender refused"] * 3


async def test_a_refusal_that_is_about_all_senders_opens_the_breaker(
    clock: FakeMonotonicClock,
) -> None:
    relays, mailer = a_relay_that_refuses(clock, NO_FAULT_OF_A_SENDER, BAD, GOOD)

    await send_from(relays, BAD, addresses_in_domains(20))

    assert relays.down == {"first:25": True}
    assert len(mailer.recipients) == 5


async def test_a_relay_that_accepts_no_sender_for_a_minute_is_left_alone_and_others_probe_it(
    clock: FakeMonotonicClock,
) -> None:
    relays, mailer = a_relay_that_refuses(clock, REFUSALS[0], BAD)
    for _ in range(20):
        await send_from(relays, BAD, addresses_in_domains(1))
        clock.now += 5.0
    assert relays.down == {"first:25": True}

    [relay] = relays.relays
    clock.now += relay.seconds_until_try()
    await send_from(relays, BAD, ["ada@a.org"])
    clock.now += relay.seconds_until_try()
    tried = len(mailer.recipients)
    [put_off] = await send_from(relays, BAD, ["ada@b.org"])
    [probe] = await send_from(relays, GOOD, ["eve@e.org"])

    assert len(mailer.recipients) == tried + 1
    assert kinds_of([put_off, probe]) == [None, Kind.ACCEPTED]
    assert relays.down == {"first:25": False}
