"""A relay that refuses one recipient after the other: what is lost, what waits, what probes it."""

import asyncio

import pytest

from gcsched.domain.relay_health import Checked, RelayState
from gcsched.domain.smtp_reply import Answered, Broken, Kind, Reply, Stage, Withheld
from gcsched.usecases.ports import Carried
from gcsched.usecases.relays.failover import Relays
from gcsched.usecases.relays.health import RelayHealth
from tests.support.builders import FixedClock
from tests.support.clocks import Seconds
from tests.support.log_events import Events
from tests.support.mails import Permit, a_mail
from tests.support.relay.scripted import TAKEN, ScriptedMailer, relays_over

MINUTE = 60.0


def says(stage: Stage, line: str) -> Answered:
    return Answered(Reply.parse(stage, int(line[:3]), line[4:]))


UNKNOWN = says(Stage.RCPT, "550 5.1.1 no such user")
WORDLESS = says(Stage.RCPT, "554 5.7.1 no")
OUR_SENDER = says(Stage.RCPT, "553 5.7.1 sender is not yours")


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


async def carry(relays: Relays, *recipients: str) -> list[Carried]:
    return [await relays.carry(a_mail(recipient=each), Permit()) for each in recipients]


def of_domains(count: int, begin: int = 0) -> list[str]:
    return [f"ada@d{number}.org" for number in range(begin, begin + count)]


@pytest.mark.parametrize("line", ["452 4.3.1 no storage", "450 4.3.2 shutting down"])
async def test_a_relay_in_trouble_of_its_own_is_left_alone_and_no_mail_is_charged(
    clock: Seconds, line: str
) -> None:
    mailer = ScriptedMailer(says=says(Stage.RCPT, line))
    relays = relays_over(clock, mailer)

    carried = await carry(relays, *of_domains(20))

    assert kinds(carried[:5]) == [Kind.OURS] * 5
    assert len(mailer.asked) == 5
    assert await relays.grant(64) == 0


async def test_mails_of_others_go_on_while_one_relay_has_no_storage_for_one_recipient(
    clock: Seconds,
) -> None:
    mailer = ScriptedMailer(says=TAKEN, but={"full.org": says(Stage.RCPT, "452 4.3.1 no storage")})
    relays = relays_over(clock, mailer)

    carried = await carry(relays, *["ada@full.org", *of_domains(3)] * 10)

    assert kinds(carried).count(Kind.ACCEPTED) == 30


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
async def test_what_a_relay_puts_off_recipient_by_recipient_holds_no_other_mail_back(
    clock: Seconds, line: str
) -> None:
    mailer = ScriptedMailer(says=says(Stage.RCPT, line))
    relays = relays_over(clock, mailer)

    carried = await carry(relays, *of_domains(20))

    assert kinds(carried) == [Kind.LATER] * 20
    assert await relays.grant(64) == 64


def kinds(carried: list[Carried]) -> list[Kind | None]:
    found = [each.transmission for each in carried]
    return [each.kind if isinstance(each, Answered) else None for each in found]


@pytest.mark.parametrize("refusal", [WORDLESS, UNKNOWN, says(Stage.BODY, "554 no")])
async def test_at_most_five_fail_before_the_queue_is_held_whatever_the_words(
    clock: Seconds, refusal: Answered
) -> None:
    mailer = ScriptedMailer(says=refusal)
    relays = relays_over(clock, mailer)

    carried = await carry(relays, *of_domains(100))

    assert kinds(carried) == [refusal.kind] * 5 + [None] * 95
    assert len(mailer.asked) == 5
    assert await relays.grant(64) == 0


async def test_of_many_under_way_at_once_no_more_than_five_fail(clock: Seconds) -> None:
    relays = relays_over(clock, ScriptedMailer(says=UNKNOWN))

    carried = await asyncio.gather(*(carry(relays, each) for each in of_domains(64)))

    assert sorted(kinds([each for [each] in carried]), key=str) == sorted(
        [Kind.RECIPIENT] * 5 + [Kind.OURS] * 59, key=str
    )


async def test_one_bad_recipient_among_good_ones_fails_alone(clock: Seconds) -> None:
    relays = relays_over(clock, ScriptedMailer(says=TAKEN, but={"d7.org": UNKNOWN}))

    carried = await carry(relays, *of_domains(100))

    assert kinds(carried) == [Kind.ACCEPTED] * 7 + [Kind.RECIPIENT] + [Kind.ACCEPTED] * 92


async def test_a_whole_domain_that_refuses_holds_nothing(clock: Seconds) -> None:
    relays = relays_over(clock, ScriptedMailer(says=UNKNOWN))

    carried = await carry(relays, *[f"r{number}@gone.org" for number in range(50)])

    assert kinds(carried) == [Kind.RECIPIENT] * 50


async def test_probes_of_a_held_relay_differ_in_domain_and_fail_nobody(clock: Seconds) -> None:
    mailer = ScriptedMailer(says=UNKNOWN)
    relays = relays_over(clock, mailer)
    await carry(relays, *of_domains(5))

    clock.now += 1.0
    first = await carry(relays, "bob@d4.org", "bob@x.org")
    clock.now += 2.0
    second = await carry(relays, "eve@x.org", "eve@y.org")

    assert isinstance(first[0].transmission, Withheld)
    assert first[0].transmission.wait is not None
    assert kinds(first[1:] + second[1:]) == [Kind.OURS] * 2
    assert mailer.asked[5:] == ["bob@x.org", "eve@y.org"]


async def test_where_no_other_domain_comes_the_same_one_probes(clock: Seconds) -> None:
    mailer = ScriptedMailer(says=UNKNOWN)
    relays = relays_over(clock, mailer)
    await carry(relays, *of_domains(5))

    clock.now += 1.0 + 5.0
    await carry(relays, "bob@d4.org")

    assert mailer.asked[5:] == ["bob@d4.org"]


async def test_with_the_first_accepted_mail_all_goes_on(clock: Seconds, events: Events) -> None:
    mailer = ScriptedMailer(says=UNKNOWN)
    relays = relays_over(clock, mailer)
    await carry(relays, *of_domains(5))
    clock.now += 1.0
    mailer.says = TAKEN

    carried = await carry(relays, *of_domains(20, begin=10))

    assert kinds(carried) == [Kind.ACCEPTED] * 20
    assert [each["event"] for each in events] == ["relay is held", "relay is back"]
    assert events[0]["error"] == "550 5.1.1 at RCPT: no such user"
    assert "five recipients of different domains" in events[0]["advice"]


async def test_a_greylisting_answer_does_not_end_a_hold(clock: Seconds) -> None:
    mailer = ScriptedMailer(says=UNKNOWN)
    relays = relays_over(clock, mailer)
    await carry(relays, *of_domains(5))
    clock.now += 1.0
    mailer.says = says(Stage.RCPT, "450 4.2.0 greylisted")

    carried = await carry(relays, "bob@x.org", "bob@y.org")

    assert kinds(carried) == [Kind.LATER, None]
    assert relays.down == {"first:25": True}


async def test_after_a_quarter_of_an_hour_without_any_acceptance_a_sure_refusal_counts(
    clock: Seconds,
) -> None:
    mailer = ScriptedMailer(says=UNKNOWN)
    relays = relays_over(clock, mailer)
    await carry(relays, *of_domains(5))

    clock.now += 14 * MINUTE
    early = await carry(relays, "bob@x.org")
    clock.now += 2 * MINUTE
    late = await carry(relays, "bob@y.org")
    mailer.says = WORDLESS
    clock.now += 2 * MINUTE
    unsure = await carry(relays, "bob@z.org")

    assert kinds(early + late + unsure) == [Kind.OURS, Kind.RECIPIENT, Kind.OURS]


async def test_while_another_relay_accepts_the_held_one_is_not_believed(clock: Seconds) -> None:
    first, second = ScriptedMailer(says=UNKNOWN), ScriptedMailer(name="second:25", says=TAKEN)
    relays = relays_over(clock, first, second)
    await carry(relays, *of_domains(5))

    carried = []
    for number in range(20):
        clock.now += MINUTE
        carried += await carry(relays, f"bob@x{number}.org")

    assert [each.relay for each in carried] == ["second:25"] * 20
    assert kinds(carried) == [Kind.ACCEPTED] * 20
    assert len(first.asked) == 25


async def test_what_is_ours_at_rcpt_loses_nothing_and_opens_the_breaker(
    clock: Seconds, events: Events
) -> None:
    health = RelayHealth(relay="first:25", now=FixedClock())
    relays = relays_over(clock, ScriptedMailer(says=OUR_SENDER), healths=[health])

    carried = await carry(relays, *of_domains(20))

    assert kinds(carried) == [Kind.OURS] * 5 + [None] * 15
    [down] = events
    assert down["event"] == "relay is down"
    assert "GCSCHED_SENDER_EMAIL" in down["advice"]
    assert health.report().state is RelayState.DOWN
    assert health.report().error == (
        f"{down['error']}; {down['advice'].removesuffix('; sending waits')}"
    )


async def test_a_check_that_passes_ends_no_hold(clock: Seconds, events: Events) -> None:
    health = RelayHealth(relay="first:25", now=FixedClock())
    relays = relays_over(clock, ScriptedMailer(says=UNKNOWN), healths=[health])
    [guard] = relays.all
    await carry(relays, *of_domains(5))

    guard.learn_from_check(Checked())
    guard.learn_from_check(Checked(Broken(Stage.CONNECT, "refused")))
    guard.learn_from_check(Checked())

    assert relays.down == {"first:25": True}
    assert health.report().state is RelayState.DOWN
    assert "five recipients of different domains" in health.report().error
    assert [each["event"] for each in events] == ["relay is held"]


async def test_one_mail_that_is_refused_so_again_and_again_stops_no_other(clock: Seconds) -> None:
    mailer = ScriptedMailer(says=TAKEN, but={"odd.org": OUR_SENDER})
    relays = relays_over(clock, mailer)

    carried = []
    for number in range(50):
        clock.now += MINUTE
        carried += await carry(relays, *["ada@odd.org"] * 5, f"bob@d{number}.org")

    assert kinds(carried) == ([Kind.OURS] * 5 + [Kind.ACCEPTED]) * 50
    assert relays.down == {"first:25": False}


@pytest.mark.parametrize("between", [None, UNKNOWN, says(Stage.RCPT, "450 4.2.0 greylisted")])
@pytest.mark.parametrize("recipients", [1, 4])
async def test_few_recipients_that_are_refused_so_again_and_again_are_told(
    clock: Seconds, events: Events, recipients: int, between: Answered | None
) -> None:
    health = RelayHealth(relay="first:25", now=FixedClock())
    but = {} if between is None else {"odd.org": between}
    relays = relays_over(clock, ScriptedMailer(says=OUR_SENDER, but=but), healths=[health])

    for _ in range(10):
        await carry(relays, *of_domains(recipients), *["eve@odd.org"] * len(but))
        clock.now += 5.0
    assert events == []

    for _ in range(20):
        await carry(relays, *of_domains(recipients), *["eve@odd.org"] * len(but))
        clock.now += 5.0

    assert events[0]["event"] == "relay is down"
    assert "GCSCHED_SENDER_EMAIL" in events[0]["advice"]
    assert "553 5.7.1" in events[0]["error"]
    if between is None:
        assert health.report().state is RelayState.DOWN
        assert "GCSCHED_SENDER_EMAIL" in health.report().error


async def test_probes_of_a_held_relay_that_answers_follow_each_other_soon(clock: Seconds) -> None:
    mailer = ScriptedMailer(says=UNKNOWN)
    relays = relays_over(clock, mailer)
    [guard] = relays.all
    await carry(relays, *of_domains(5))

    async def waits(says: Answered, begin: int, count: int) -> list[float]:
        mailer.says, found = says, []
        for each in of_domains(count, begin=begin):
            clock.now += guard.seconds_until_try()
            await carry(relays, each)
            found.append(guard.seconds_until_try())
        return found

    greylisted, ours = says(Stage.RCPT, "450 4.2.0 greylisted"), OUR_SENDER
    assert await waits(UNKNOWN, 10, 20) == pytest.approx([2.0] * 20)
    assert await waits(greylisted, 40, 3) == pytest.approx([2.0, 4.0, 8.0])
    assert await waits(ours, 50, 3) == pytest.approx([16.0, 32.0, 60.0])
    assert await waits(WORDLESS, 60, 5) == pytest.approx([2.0] * 5)


async def test_a_good_mail_among_many_bad_ones_is_not_kept_for_hours(clock: Seconds) -> None:
    good = {f"d{number}.org": TAKEN for number in range(0, 1_000, 10)}
    relays = relays_over(clock, ScriptedMailer(says=UNKNOWN, but=good))
    begun, queue, sent = clock.now, of_domains(1_000), 0

    while sent < len(good):
        clock.now += max(each.seconds_until_try() for each in relays.all)
        recipient = queue.pop(0)
        [[kind]] = [kinds(await carry(relays, recipient))]
        if kind in {Kind.OURS, None}:
            queue.append(recipient)
        sent += kind is Kind.ACCEPTED

    assert clock.now - begun < 3_600


async def test_a_queue_of_one_domain_is_not_claimed_in_a_hot_loop(clock: Seconds) -> None:
    mailer = ScriptedMailer(says=UNKNOWN)
    relays = relays_over(clock, mailer)
    await carry(relays, *of_domains(5))

    put_off = 0
    for _ in range(10_000):
        clock.now += 0.01
        if await relays.grant(64):
            [carried] = await carry(relays, "bob@d4.org")
            put_off += isinstance(carried.transmission, Withheld)

    probes = len(mailer.asked) - 5
    assert probes >= 10
    assert put_off <= 11 * (probes + 1)
