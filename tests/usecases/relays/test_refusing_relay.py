"""A relay that refuses one recipient after the other: what fails, what waits, what probes it."""

import asyncio

import pytest

from gcsched.domain.relay_health import RelayState
from gcsched.domain.smtp_reply import Answered, Kind, Stage
from gcsched.usecases.relays.health import RelayHealth
from tests.support.builders import FixedClock
from tests.support.clocks import FakeMonotonicClock
from tests.support.log_events import Events
from tests.support.relay.refusals import (
    MINUTE,
    OUR_SENDER,
    UNKNOWN,
    WORDLESS,
    addresses_in_domains,
    kinds_of,
    parse_refusal,
    send_to,
)
from tests.support.relay.scripted import ACCEPTED, ScriptedMailer, make_relays


@pytest.mark.parametrize("line", ["452 4.3.1 no storage", "450 4.3.2 shutting down"])
async def test_a_relay_with_a_failure_of_its_own_is_left_alone_and_no_mail_is_charged(
    clock: FakeMonotonicClock, line: str
) -> None:
    mailer = ScriptedMailer(outcome=parse_refusal(Stage.RCPT, line))
    relays = make_relays(clock, mailer)

    result = await send_to(relays, *addresses_in_domains(20))

    assert kinds_of(result[:5]) == [Kind.RELAY] * 5
    assert len(mailer.recipients) == 5
    assert await relays.grant(64) == 0


async def test_mails_to_others_go_on_while_the_relay_has_no_storage_for_one_recipient(
    clock: FakeMonotonicClock,
) -> None:
    mailer = ScriptedMailer(
        outcome=ACCEPTED,
        outcomes_by_domain={"full.org": parse_refusal(Stage.RCPT, "452 4.3.1 no storage")},
    )
    relays = make_relays(clock, mailer)

    result = await send_to(relays, *["ada@full.org", *addresses_in_domains(3)] * 10)

    assert kinds_of(result).count(Kind.ACCEPTED) == 30


@pytest.mark.parametrize(
    "line",
    [
        "450 4.3.2 try again in 5 minutes",
        "451 4.3.0 Temporary lookup failure",
        "450 4.2.0 greylisted",
        "451 4.7.1 Service unavailable - try again later",
        "451 Temporary local problem",
    ],
)
async def test_temporary_refusals_of_recipients_hold_back_no_other_mail(
    clock: FakeMonotonicClock, line: str
) -> None:
    mailer = ScriptedMailer(outcome=parse_refusal(Stage.RCPT, line))
    relays = make_relays(clock, mailer)

    result = await send_to(relays, *addresses_in_domains(20))

    assert kinds_of(result) == [Kind.DEFERRED] * 20
    assert await relays.grant(64) == 64


@pytest.mark.parametrize("refusal", [WORDLESS, UNKNOWN, parse_refusal(Stage.BODY, "554 no")])
async def test_at_most_five_mails_fail_before_the_relay_is_held(
    clock: FakeMonotonicClock, refusal: Answered
) -> None:
    mailer = ScriptedMailer(outcome=refusal)
    relays = make_relays(clock, mailer)

    result = await send_to(relays, *addresses_in_domains(100))

    assert kinds_of(result) == [refusal.kind] * 5 + [None] * 95
    assert len(mailer.recipients) == 5
    assert await relays.grant(64) == 0


async def test_of_many_concurrent_mails_no_more_than_five_fail(clock: FakeMonotonicClock) -> None:
    relays = make_relays(clock, ScriptedMailer(outcome=UNKNOWN))

    result = await asyncio.gather(*(send_to(relays, each) for each in addresses_in_domains(64)))

    assert sorted(kinds_of([each for [each] in result]), key=str) == sorted(
        [Kind.RECIPIENT] * 5 + [Kind.RELAY] * 59, key=str
    )


async def test_one_bad_recipient_among_good_ones_fails_alone(clock: FakeMonotonicClock) -> None:
    relays = make_relays(
        clock, ScriptedMailer(outcome=ACCEPTED, outcomes_by_domain={"d7.org": UNKNOWN})
    )

    result = await send_to(relays, *addresses_in_domains(100))

    assert kinds_of(result) == [Kind.ACCEPTED] * 7 + [Kind.RECIPIENT] + [Kind.ACCEPTED] * 92


async def test_a_whole_domain_that_refuses_holds_nothing(clock: FakeMonotonicClock) -> None:
    relays = make_relays(clock, ScriptedMailer(outcome=UNKNOWN))

    result = await send_to(relays, *[f"r{number}@gone.org" for number in range(50)])

    assert kinds_of(result) == [Kind.RECIPIENT] * 50


async def test_a_refusal_of_the_client_at_rcpt_loses_nothing_and_opens_the_breaker(
    clock: FakeMonotonicClock, events: Events
) -> None:
    health = RelayHealth(relay="first:25", now=FixedClock())
    relays = make_relays(clock, ScriptedMailer(outcome=OUR_SENDER), healths=[health])

    result = await send_to(relays, *addresses_in_domains(20))

    assert kinds_of(result) == [Kind.RELAY] * 5 + [None] * 15
    [down] = events
    assert down["event"] == "relay is down"
    assert "GCSCHED_SENDER_EMAIL" in down["advice"]
    assert health.report().state is RelayState.DOWN
    assert health.report().error == (
        f"{down['error']}; {down['advice'].removesuffix('; sending waits')}"
    )


async def test_one_mail_that_is_refused_so_repeatedly_stops_no_other(
    clock: FakeMonotonicClock,
) -> None:
    mailer = ScriptedMailer(outcome=ACCEPTED, outcomes_by_domain={"odd.org": OUR_SENDER})
    relays = make_relays(clock, mailer)

    result = []
    for number in range(50):
        clock.now += MINUTE
        result += await send_to(relays, *["ada@odd.org"] * 5, f"bob@d{number}.org")

    assert kinds_of(result) == ([Kind.RELAY] * 5 + [Kind.ACCEPTED]) * 50
    assert relays.down == {"first:25": False}


@pytest.mark.parametrize(
    "between", [None, UNKNOWN, parse_refusal(Stage.RCPT, "450 4.2.0 greylisted")]
)
@pytest.mark.parametrize("recipients", [1, 4])
async def test_few_recipients_that_are_refused_so_repeatedly_open_the_breaker(
    clock: FakeMonotonicClock, events: Events, recipients: int, between: Answered | None
) -> None:
    health = RelayHealth(relay="first:25", now=FixedClock())
    but = {} if between is None else {"odd.org": between}
    relays = make_relays(
        clock, ScriptedMailer(outcome=OUR_SENDER, outcomes_by_domain=but), healths=[health]
    )

    for _ in range(10):
        await send_to(relays, *addresses_in_domains(recipients), *["eve@odd.org"] * len(but))
        clock.now += 5.0
    assert events == []

    for _ in range(20):
        await send_to(relays, *addresses_in_domains(recipients), *["eve@odd.org"] * len(but))
        clock.now += 5.0

    assert events[0]["event"] == "relay is down"
    assert "GCSCHED_SENDER_EMAIL" in events[0]["advice"]
    assert "553 5.7.1" in events[0]["error"]
    if between is None:
        assert health.report().state is RelayState.DOWN
        assert "GCSCHED_SENDER_EMAIL" in health.report().error
