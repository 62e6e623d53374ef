"""A held relay: which mails probe it, what ends the hold, and which refusals do not count."""

import pytest

from gcsched.domain.relay_health import CheckResult, RelayState
from gcsched.domain.smtp_reply import Answered, Broken, Kind, Stage, Withheld
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


async def test_probes_of_a_held_relay_differ_in_domain_and_fail_no_mail(
    clock: FakeMonotonicClock,
) -> None:
    mailer = ScriptedMailer(outcome=UNKNOWN)
    relays = make_relays(clock, mailer)
    await send_to(relays, *addresses_in_domains(5))

    clock.now += 1.0
    first = await send_to(relays, "bob@d4.org", "bob@x.org")
    clock.now += 2.0
    second = await send_to(relays, "eve@x.org", "eve@y.org")

    assert isinstance(first[0].transmission, Withheld)
    assert first[0].transmission.wait is not None
    assert kinds_of(first[1:] + second[1:]) == [Kind.RELAY] * 2
    assert mailer.recipients[5:] == ["bob@x.org", "eve@y.org"]


async def test_where_no_other_domain_comes_the_same_one_probes(clock: FakeMonotonicClock) -> None:
    mailer = ScriptedMailer(outcome=UNKNOWN)
    relays = make_relays(clock, mailer)
    await send_to(relays, *addresses_in_domains(5))

    clock.now += 1.0 + 5.0
    await send_to(relays, "bob@d4.org")

    assert mailer.recipients[5:] == ["bob@d4.org"]


async def test_the_first_accepted_mail_ends_the_hold(
    clock: FakeMonotonicClock, events: Events
) -> None:
    mailer = ScriptedMailer(outcome=UNKNOWN)
    relays = make_relays(clock, mailer)
    await send_to(relays, *addresses_in_domains(5))
    clock.now += 1.0
    mailer.outcome = ACCEPTED

    result = await send_to(relays, *addresses_in_domains(20, start=10))

    assert kinds_of(result) == [Kind.ACCEPTED] * 20
    assert [each["event"] for each in events] == ["relay is held", "relay is back"]
    assert events[0]["error"] == "550 5.1.1 at RCPT: no such user"
    assert "five recipients of different domains" in events[0]["advice"]


async def test_a_greylisting_reply_does_not_end_a_hold(clock: FakeMonotonicClock) -> None:
    mailer = ScriptedMailer(outcome=UNKNOWN)
    relays = make_relays(clock, mailer)
    await send_to(relays, *addresses_in_domains(5))
    clock.now += 1.0
    mailer.outcome = parse_refusal(Stage.RCPT, "450 4.2.0 greylisted")

    result = await send_to(relays, "bob@x.org", "bob@y.org")

    assert kinds_of(result) == [Kind.DEFERRED, None]
    assert relays.down == {"first:25": True}


async def test_after_15_minutes_without_an_acceptance_a_permanent_refusal_counts(
    clock: FakeMonotonicClock,
) -> None:
    mailer = ScriptedMailer(outcome=UNKNOWN)
    relays = make_relays(clock, mailer)
    await send_to(relays, *addresses_in_domains(5))

    clock.now += 14 * MINUTE
    early = await send_to(relays, "bob@x.org")
    clock.now += 2 * MINUTE
    late = await send_to(relays, "bob@y.org")
    mailer.outcome = WORDLESS
    clock.now += 2 * MINUTE
    unsure = await send_to(relays, "bob@z.org")

    assert kinds_of(early + late + unsure) == [Kind.RELAY, Kind.RECIPIENT, Kind.RELAY]


async def test_while_another_relay_accepts_refusals_of_the_held_one_do_not_count(
    clock: FakeMonotonicClock,
) -> None:
    first, second = (
        ScriptedMailer(outcome=UNKNOWN),
        ScriptedMailer(name="second:25", outcome=ACCEPTED),
    )
    relays = make_relays(clock, first, second)
    await send_to(relays, *addresses_in_domains(5))

    result = []
    for number in range(20):
        clock.now += MINUTE
        result += await send_to(relays, f"bob@x{number}.org")

    assert [each.relay for each in result] == ["second:25"] * 20
    assert kinds_of(result) == [Kind.ACCEPTED] * 20
    assert len(first.recipients) == 25


async def test_a_successful_check_does_not_end_a_hold(
    clock: FakeMonotonicClock, events: Events
) -> None:
    health = RelayHealth(relay="first:25", now=FixedClock())
    relays = make_relays(clock, ScriptedMailer(outcome=UNKNOWN), healths=[health])
    [protected] = relays.relays
    await send_to(relays, *addresses_in_domains(5))

    protected.record_check(CheckResult())
    protected.record_check(CheckResult(Broken(Stage.CONNECT, "refused")))
    protected.record_check(CheckResult())

    assert relays.down == {"first:25": True}
    assert health.report().state is RelayState.DOWN
    assert "five recipients of different domains" in health.report().error
    assert [each["event"] for each in events] == ["relay is held"]


async def test_probes_of_a_held_relay_that_answers_follow_each_other_soon(
    clock: FakeMonotonicClock,
) -> None:
    mailer = ScriptedMailer(outcome=UNKNOWN)
    relays = make_relays(clock, mailer)
    [protected] = relays.relays
    await send_to(relays, *addresses_in_domains(5))

    async def waits(says: Answered, begin: int, count: int) -> list[float]:
        mailer.outcome, found = says, []
        for each in addresses_in_domains(count, start=begin):
            clock.now += protected.seconds_until_try()
            await send_to(relays, each)
            found.append(protected.seconds_until_try())
        return found

    greylisted, ours = parse_refusal(Stage.RCPT, "450 4.2.0 greylisted"), OUR_SENDER
    assert await waits(UNKNOWN, 10, 20) == pytest.approx([2.0] * 20)
    assert await waits(greylisted, 40, 3) == pytest.approx([2.0, 4.0, 8.0])
    assert await waits(ours, 50, 3) == pytest.approx([16.0, 32.0, 60.0])
    assert await waits(WORDLESS, 60, 5) == pytest.approx([2.0] * 5)


async def test_a_good_mail_among_many_bad_ones_is_not_kept_for_hours(
    clock: FakeMonotonicClock,
) -> None:
    good = {f"d{number}.org": ACCEPTED for number in range(0, 1_000, 10)}
    relays = make_relays(clock, ScriptedMailer(outcome=UNKNOWN, outcomes_by_domain=good))
    begun, queue, sent = clock.now, addresses_in_domains(1_000), 0

    while sent < len(good):
        clock.now += max(each.seconds_until_try() for each in relays.relays)
        recipient = queue.pop(0)
        [[kind]] = [kinds_of(await send_to(relays, recipient))]
        if kind in {Kind.RELAY, None}:
            queue.append(recipient)
        sent += kind is Kind.ACCEPTED

    assert clock.now - begun < 3_600


async def test_jobs_of_one_domain_are_not_claimed_in_a_hot_loop(
    clock: FakeMonotonicClock,
) -> None:
    mailer = ScriptedMailer(outcome=UNKNOWN)
    relays = make_relays(clock, mailer)
    await send_to(relays, *addresses_in_domains(5))

    put_off = 0
    for _ in range(10_000):
        clock.now += 0.01
        if await relays.grant(64):
            [result] = await send_to(relays, "bob@d4.org")
            put_off += isinstance(result.transmission, Withheld)

    probes = len(mailer.recipients) - 5
    assert probes >= 10
    assert put_off <= 11 * (probes + 1)
