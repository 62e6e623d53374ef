"""Pipelined commands: relays that cannot handle them, and failures with other causes."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from gcsched.adapters.smtp.pool import SmtpSessionPool
from gcsched.adapters.smtp.relay_settings import Timeouts
from gcsched.domain.smtp_reply import Answered, Broken, Stage, Transmission
from tests.support.relay.client import ACCEPTED, a_pool, deliver, deliver_many
from tests.support.relay.server import Action, Answer, At, Drop, Hang, Relay

# Some mails of each test end by it; the relay must answer the others within it on a busy machine.
PATIENT = Timeouts(rcpt=timedelta(seconds=1))


async def test_a_relay_that_loses_pipelined_commands_gets_one_command_at_a_time_from_then_on() -> (
    None
):
    async with Relay(loses_pipelined=True) as relay, a_pool(relay, PATIENT) as pool:
        with capture_logs() as events:
            first, alone, second, *others = [await deliver(pool) for _ in range(5)]

        assert [first, second] == [Broken(Stage.RCPT, "no answer within 1 seconds")] * 2
        assert [alone, *others] == [Answered(ACCEPTED)] * 3
        assert [event["event"] for event in events] == ["pipelining given up"]


async def test_a_relay_that_answers_503_to_a_group_gets_its_mails_one_command_at_a_time() -> None:
    async with Relay(refuses_groups=True) as relay, a_pool(relay, sessions=4) as pool:
        assert await deliver_many(pool, 20) == [Answered(ACCEPTED)] * 20

        assert len(relay.ledger) == len(relay.per_recipient) == 20
        assert relay.violations == []
        assert relay.most_open <= 4
        before = relay.count_commands("RSET")
        assert await deliver_many(pool, 8) == [Answered(ACCEPTED)] * 8
        # A session that lost a group starts with RSET.
        assert relay.count_commands("RSET") - before <= 4


@pytest.mark.parametrize("at", [At.MAIL, At.RCPT, At.DATA])
@pytest.mark.parametrize(
    "answer",
    [
        Answer(503, "5.5.1 bad sequence"),
        Answer(500, "5.5.1 what"),
        Answer(503, "5.5.0 improper use of SMTP command pipelining"),
        Answer(554, "SMTP synchronization error"),
    ],
)
async def test_a_mail_whose_group_was_not_understood_is_sent_at_once(
    at: At, answer: Answer
) -> None:
    async with Relay() as relay, a_pool(relay) as pool:
        relay.script(at, answer, nth=1)

        assert await deliver(pool) == Answered(ACCEPTED)

        assert len(relay.ledger) == 1
        assert await deliver(pool) == Answered(ACCEPTED)


@pytest.mark.parametrize("at", [At.MAIL, At.RCPT, At.DATA])
async def test_a_relay_that_answers_503_to_single_commands_too_goes_on_getting_groups(
    at: At,
) -> None:
    async with Relay() as relay, a_pool(relay) as pool:
        relay.script(at, Answer(503, "5.5.1 bad sequence"))

        with capture_logs() as events:
            outcome = await deliver(pool)
            tried = relay.count_commands(at.name)
            again = await deliver(pool)

        assert isinstance(outcome, Answered)
        assert (outcome.reply.stage.name, outcome.reply.code) == (at.name, 503)
        assert again == outcome
        # In a group, then alone; and both again.
        assert (tried, relay.count_commands(at.name)) == (2, 4)
        assert events == []


@pytest.mark.parametrize("answer", [Answer(550, "5.1.1 no such user"), None])
async def test_if_single_commands_get_further_pipelining_ends_and_is_logged_once(
    answer: Answer | None,
) -> None:
    async with Relay(refuses_groups=True) as relay, a_pool(relay, sessions=4) as pool:
        if answer is not None:
            relay.script(At.RCPT, answer)

        with capture_logs() as events:
            await deliver_many(pool, 20)
            before = relay.count_commands("RCPT")
            await deliver_many(pool, 8)

        assert relay.count_commands("RCPT") - before == 8
        name = f"127.0.0.1:{relay.port}"
        assert events == [{"event": "pipelining given up", "relay": name, "log_level": "warning"}]


@pytest.mark.parametrize("action", [Drop(), Answer(421, "4.3.2 going down")])
async def test_single_commands_that_a_relay_hangs_up_on_prove_nothing_about_groups(
    action: Action,
) -> None:
    async with Relay() as relay, a_pool(relay) as pool:
        relay.script(At.RCPT, Answer(503, "5.5.1 bad sequence"), nth=1)
        relay.script(At.RCPT, action, nth=2)

        with capture_logs() as events:
            await deliver(pool)
            relay.script(At.RCPT, Answer(503, "5.5.1 bad sequence"), nth=3)
            assert await deliver(pool) == Answered(ACCEPTED)

        assert relay.count_commands("RCPT") == 4  # the third came in a group again
        assert [event["event"] for event in events] == ["pipelining given up"]


async def test_a_session_that_cannot_be_reset_proves_nothing_about_groups() -> None:
    async with Relay() as relay, a_pool(relay) as pool:
        relay.script(At.RCPT, Answer(550, "5.1.1 no such user"), nth=1)
        relay.script(At.RSET, Answer(502, "5.5.1 what"))

        with capture_logs() as events:
            await deliver(pool)
            assert await deliver(pool) == Answered(ACCEPTED)

        assert events == []


async def test_a_kept_session_that_had_died_proves_nothing_about_a_group_that_stalled() -> None:
    async with Relay(loses_pipelined=True) as relay, a_pool(relay, PATIENT, sessions=2) as pool:
        assert isinstance(await deliver(pool), Broken)
        await pool.check()  # and keep its session
        relay.script(At.MAIL, Drop(), nth=2)

        with capture_logs() as events:
            assert await deliver(pool) == Answered(ACCEPTED)
            assert relay.count_commands("MAIL") == 3
            relay.loses_pipelined = False
            assert await deliver_many(pool, 4) == [Answered(ACCEPTED)] * 4

        assert events == []


async def time_out_group(pool: SmtpSessionPool, relay: Relay) -> Transmission:
    relay.script(At.RCPT, Hang(asyncio.Event()), nth=relay.count_commands("RCPT") + 1)
    return await deliver(pool)


async def is_pipelined(pool: SmtpSessionPool, relay: Relay) -> bool:
    """Return whether the next mail sends DATA before the reply that refuses its recipient."""
    relay.script(At.RCPT, Answer(550, "5.1.1 no such user"), nth=relay.count_commands("RCPT") + 1)
    before = relay.count_commands("DATA")
    refused = await deliver(pool)
    assert isinstance(refused, Answered)
    assert refused.reply.enhanced_code == "5.1.1"
    return relay.count_commands("DATA") > before


async def test_one_silence_to_a_group_does_not_end_groups_even_if_a_single_mail_succeeds() -> None:
    async with Relay() as relay, a_pool(relay, PATIENT) as pool:
        with capture_logs() as events:
            for _ in range(3):  # a good group clears the doubt
                assert isinstance(await time_out_group(pool, relay), Broken)
                assert await deliver(pool) == Answered(ACCEPTED)
                assert await is_pipelined(pool, relay)
                assert await is_pipelined(pool, relay)

        assert events == []


async def test_a_second_silence_after_a_good_single_mail_ends_groups() -> None:
    async with Relay() as relay, a_pool(relay, PATIENT) as pool:
        with capture_logs() as events:
            await time_out_group(pool, relay)
            assert await deliver(pool) == Answered(ACCEPTED)
            await time_out_group(pool, relay)

        assert [event["event"] for event in events] == ["pipelining given up"]
        assert not await is_pipelined(pool, relay)


async def test_a_second_group_that_was_refused_at_once_shows_nothing_and_is_tried_again() -> None:
    async with Relay() as relay, a_pool(relay, PATIENT) as pool:
        with capture_logs() as events:
            await time_out_group(pool, relay)
            assert await deliver(pool) == Answered(ACCEPTED)
            relay.script(
                At.MAIL, Answer(451, "4.3.0 not now"), nth=relay.count_commands("MAIL") + 1
            )
            assert isinstance(await deliver(pool), Answered)
            relay.script(At.RCPT, Hang(asyncio.Event()))
            assert isinstance(await deliver(pool), Broken)

        assert [event["event"] for event in events] == ["pipelining given up"]


async def test_after_a_silence_only_one_of_many_mails_risks_a_group() -> None:
    async with Relay(loses_pipelined=True) as relay, a_pool(relay, PATIENT, sessions=4) as pool:
        with capture_logs() as events:
            silent = await deliver_many(pool, 4)  # all four in groups, before the first outcome
            assert await deliver(pool) == Answered(ACCEPTED)
            outcomes = await deliver_many(pool, 12)

        assert all(isinstance(outcome, Broken) for outcome in silent)
        assert [isinstance(outcome, Broken) for outcome in outcomes].count(True) == 1
        assert [event["event"] for event in events] == ["pipelining given up"]


async def test_a_relay_that_fell_silent_once_is_tried_alone_and_then_in_groups_again() -> None:
    async with Relay() as relay, a_pool(relay, PATIENT) as pool:
        relay.script(At.RCPT, Hang(asyncio.Event()), nth=1)
        relay.script(At.MAIL, Answer(451, "4.3.0 not now"), nth=2)

        with capture_logs() as events:
            silent, alone = await deliver(pool), await deliver(pool)
            relay.script(At.RCPT, Answer(503, "5.5.1 bad sequence"), nth=2)
            assert await deliver(pool) == Answered(ACCEPTED)

        assert isinstance(silent, Broken)
        assert isinstance(alone, Answered)
        assert relay.count_commands("RCPT") == 3  # silent; in a group; alone
        assert [event["event"] for event in events] == ["pipelining given up"]


async def test_an_address_with_an_odd_name_is_not_a_complaint_about_groups() -> None:
    async with Relay() as relay, a_pool(relay) as pool:
        relay.script(At.RCPT, Answer(550, "5.1.1 <pipelining@x.org>: unknown"), nth=1)

        refused = await deliver(pool)

        assert isinstance(refused, Answered)
        assert refused.reply.enhanced_code == "5.1.1"
        assert relay.count_commands("RCPT") == 1
