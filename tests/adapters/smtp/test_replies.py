"""Replies of a real relay, and missing replies, in one session."""

import asyncio
from datetime import timedelta

import pytest

from gcsched.adapters.smtp.pipelining import EnvelopeProgress
from gcsched.adapters.smtp.relay_settings import Timeouts
from gcsched.domain.smtp_reply import Answered, Broken, Reply, Stage, Transmission
from tests.support.mails import CONTENT, GrantPermit, a_mail
from tests.support.relay.client import (
    ACCEPTED,
    BOTH_WAYS,
    a_pending_mail,
    a_session,
    quit_session,
    send,
)
from tests.support.relay.server import (
    Action,
    Answer,
    At,
    Drop,
    Hang,
    LoseReply,
    Raw,
    Relay,
    StopReading,
    Trickle,
)
from tests.support.wait import until

SOON = timedelta(seconds=0.2)


@BOTH_WAYS
@pytest.mark.parametrize("at", [At.MAIL, At.RCPT, At.DATA, At.BODY])
@pytest.mark.parametrize("unforgiving", [False, True])
async def test_a_refusal_is_reported_and_the_next_mail_follows_on_the_same_session(
    at: At, offers: frozenset[str], *, unforgiving: bool
) -> None:
    async with Relay(offers=offers, requires_rset=unforgiving) as relay:
        relay.script(at, Answer(550, "5.7.1 no"), nth=1)
        session = await a_session(relay)
        begin = GrantPermit()

        refused = await send(session, begin=begin)
        accepted = await send(session)

        assert refused == Answered(
            Reply(stage=Stage(at), code=550, enhanced_code="5.7.1", text="no")
        )
        assert accepted == Answered(ACCEPTED)
        assert begin.calls == (at == At.BODY)
        assert (relay.count_commands("RSET"), relay.sessions, len(relay.ledger)) == (1, 1, 1)
        assert await quit_session(session)
        assert relay.violations == []


@BOTH_WAYS
@pytest.mark.parametrize("at", [At.MAIL, At.RCPT, At.DATA, At.BODY])
async def test_a_421_is_reported_and_ends_the_session(at: At, offers: frozenset[str]) -> None:
    async with Relay(offers=offers) as relay:
        relay.script(at, Answer(421, "4.3.2 going down"))
        session = await a_session(relay)

        outcome = await send(session)

        assert isinstance(outcome, Answered)
        assert (outcome.reply.stage, outcome.reply.code) == (Stage(at), 421)
        assert not session.is_alive
        assert relay.ledger == []


@pytest.mark.parametrize("at", [At.MAIL, At.RCPT])
async def test_an_accepted_data_after_a_refusal_never_becomes_an_empty_mail(at: At) -> None:
    async with Relay(always_354=True) as relay:
        relay.script(at, Answer(550, "5.1.1 no such user"))
        session = await a_session(relay)
        begin = GrantPermit()

        outcome = await send(session, begin=begin)

        assert isinstance(outcome, Answered)
        assert (outcome.reply.stage, outcome.reply.enhanced_code) == (Stage(at), "5.1.1")
        assert begin.calls == 0
        assert not session.is_alive
        await until(lambda: not relay.open)
        assert (relay.ledger, relay.violations) == ([], [])


@pytest.mark.parametrize("action", [Raw(b"421 4.3.2 going down\r\n"), Drop(), Raw(b"nonsense\r\n")])
async def test_a_refusal_counts_even_if_the_rest_of_its_group_fails(action: Action) -> None:
    async with Relay(always_354=True) as relay:
        relay.script(At.RCPT, Answer(550, "5.1.1 no such user"))
        relay.script(At.DATA, action)
        session = await a_session(relay, Timeouts(data=SOON))

        outcome = await send(session)

        assert isinstance(outcome, Answered)
        assert outcome.reply.enhanced_code == "5.1.1"
        assert not session.is_alive


async def test_a_refusal_counts_though_the_relay_then_falls_silent() -> None:
    async with Relay(always_354=True) as relay:
        relay.script(At.RCPT, Answer(550, "5.1.1 no such user"))
        relay.script(At.DATA, Hang())
        session = await a_session(relay, Timeouts(data=SOON))

        pending = a_pending_mail()

        pending.start(session)
        outcome = await pending.complete(GrantPermit())

        assert isinstance(outcome, Answered)
        assert outcome.reply.enhanced_code == "5.1.1"
        assert pending.transaction is not None
        assert pending.transaction.progress == EnvelopeProgress(
            in_group=True, understood=2, has_stalled=True
        )
        assert not session.is_alive


async def test_a_reply_of_several_lines_is_one_text_that_steers_no_terminal() -> None:
    async with Relay() as relay:
        octets = b"550-5.1.1 no such\r\n550-5.1.1 user \xff\xc3\xa4\x1b[2J\r\n550 5.1.1 here\r\n"
        relay.script(At.RCPT, Raw(octets))
        session = await a_session(relay)

        outcome = await send(session)

        assert isinstance(outcome, Answered)
        assert outcome.reply.enhanced_code == "5.1.1"
        assert outcome.reply.text == "no such user \ufffdä?[2J here"
        assert await quit_session(session)


BAD_REPLIES = {
    "no code": b"hello\r\n",
    "a low code": b"199 x\r\n",
    "a high code": b"600 x\r\n",
    "a long code": b"2500 x\r\n",
    "two codes": b"250-one\r\n550 two\r\n",
    "a long line": b"250 " + b"x" * 9000 + b"\r\n",
    "an endless line": b"250 " + b"x" * 9000,
    "an endless reply": b"250-" + b"x" * 1000 + b"\r\n" + (b"250-" + b"x" * 1000 + b"\r\n") * 40,
    "a code that is not valid here": b"354 go on\r\n",
}


@pytest.mark.parametrize("octets", BAD_REPLIES.values(), ids=BAD_REPLIES)
@BOTH_WAYS
async def test_a_malformed_reply_breaks_the_session(octets: bytes, offers: frozenset[str]) -> None:
    async with Relay(offers=offers) as relay:
        relay.script(At.MAIL, Raw(octets))
        session = await a_session(relay)
        begin = GrantPermit()

        outcome = await send(session, begin=begin)

        assert isinstance(outcome, Broken)
        assert outcome.stage is Stage.MAIL
        assert begin.calls == 0
        assert not session.is_alive


@pytest.mark.parametrize("more", [b"250 kept\r\n", b"250", b"\0"])
async def test_a_reply_after_the_354_without_a_command_breaks_the_session(more: bytes) -> None:
    async with Relay() as relay:
        relay.script(At.DATA, Raw(b"354 go on\r\n" + more))
        session = await a_session(relay)
        begin = GrantPermit()

        outcome = await send(session, begin=begin)

        assert outcome == Broken(Stage.DATA, "the relay sent a reply without a command")
        assert begin.calls == 0


async def test_garbage_after_the_last_reply_ends_the_session_but_not_what_was_accepted() -> None:
    async with Relay() as relay:
        relay.script(At.BODY, Raw(b"250 2.0.0 kept\r\n250 2.0.0 and again\r\n"))
        session = await a_session(relay)

        assert await send(session) == Answered(ACCEPTED)

        assert not session.is_alive


@pytest.mark.parametrize(("at", "code"), [(At.DATA, 250), (At.BODY, 354), (At.RCPT, 354)])
async def test_a_code_that_is_not_valid_there_breaks_the_session(at: At, code: int) -> None:
    async with Relay() as relay:
        relay.script(at, Answer(code, "hm"))
        session = await a_session(relay)

        outcome = await send(session)

        assert isinstance(outcome, Broken)
        assert outcome.stage is Stage(at)
        assert not session.is_alive


@pytest.mark.parametrize("at", [At.MAIL, At.RCPT, At.DATA, At.BODY])
@pytest.mark.parametrize("action", [Hang(), Trickle(0.1)], ids=["silence", "dripping"])
async def test_each_stage_has_its_own_limit(at: At, action: Action) -> None:
    timeouts = {At.MAIL: "mail", At.RCPT: "rcpt", At.DATA: "data", At.BODY: "dot"}
    async with Relay() as relay:
        relay.script(at, action)
        session = await a_session(relay, Timeouts(**{timeouts[at]: SOON}))

        outcome = await send(session)

        assert isinstance(outcome, Broken)
        assert outcome.stage is Stage(at)
        assert "0.2 seconds" in outcome.reason
        assert not session.is_alive


@pytest.mark.parametrize("action", [Drop(), LoseReply()])
@pytest.mark.parametrize("at", [At.MAIL, At.RCPT, At.DATA, At.BODY])
async def test_a_hang_up_is_reported_with_its_stage(at: At, action: Action) -> None:
    async with Relay() as relay:
        relay.script(at, action)
        session = await a_session(relay)

        outcome = await send(session)

        assert outcome == Broken(Stage(at), "the relay closed the connection")
        assert not session.is_alive
        assert len(relay.ledger) == (at == At.BODY and action == LoseReply())


async def test_a_body_that_no_longer_leaves_has_a_limit_of_its_own() -> None:
    async with Relay() as relay:
        relay.script(At.DATA, StopReading())
        session = await a_session(relay, Timeouts(body_stall=SOON))

        outcome = await send(session, a_mail(content=CONTENT + b"x\r\n" * 3_000_000))

        assert isinstance(outcome, Broken)
        assert outcome.stage is Stage.BODY


@pytest.mark.parametrize(("code", "kind"), [(552, Answered), (250, Broken)])
async def test_an_answer_in_the_middle_of_the_body_is_a_refusal_or_nothing(
    code: int, kind: type[Transmission]
) -> None:
    async with Relay() as relay, asyncio.TaskGroup() as tasks:
        relay.script(At.DATA, StopReading())
        session = await a_session(relay)

        big, begin = a_mail(content=CONTENT + b"x\r\n" * 3_000_000), GrantPermit()
        sending = tasks.create_task(send(session, big, begin))
        await until(lambda: begin.calls)
        relay.send_to_all(b"%d enough\r\n" % code)

        assert isinstance(await sending, kind)
        assert not session.is_alive
