"""Mails of one session with a real relay, and mails that it refuses to send."""

import asyncio

import pytest

from gcsched.adapters.smtp.envelope import EncodedMail
from gcsched.domain.mail import Mail
from gcsched.domain.smtp_reply import Answered, Stage
from gcsched.errors import MalformedMail
from tests.support.mails import CONTENT, GrantPermit, a_mail
from tests.support.relay.client import ACCEPTED, BOTH_WAYS, a_session, quit_session, send
from tests.support.relay.server import (
    At,
    Hang,
    Relay,
)
from tests.support.wait import until


@pytest.mark.parametrize(
    "content",
    [
        CONTENT,
        CONTENT + b".\r\n",
        CONTENT + b".\r\n..\r\n...three\r\n.x",
        b".starts with a dot: yes\r\n\r\nx\r\n",
        CONTENT + b"no line end",
        CONTENT + b"a line\r\n" * 1_000_000,
    ],
    ids=["plain", "a dot", "dots", "first dot", "no line end", "8 MB"],
)
@BOTH_WAYS
async def test_a_mail_arrives_octet_for_octet(content: bytes, offers: frozenset[str]) -> None:
    async with Relay(offers=offers) as relay:
        session = await a_session(relay)

        outcome = await send(session, a_mail(content=content))

        (kept,) = relay.ledger
        assert outcome == Answered(ACCEPTED)
        assert kept.content == (content if content.endswith(b"\r\n") else content + b"\r\n")
        assert (kept.sender, kept.recipient) == ("team@example.org", "ada@example.org")
        assert await quit_session(session)
        assert relay.violations == []


async def test_mail_rcpt_and_data_go_in_one_write_when_offered() -> None:
    go_on = asyncio.Event()
    async with Relay() as relay, asyncio.TaskGroup() as tasks:
        relay.script(At.MAIL, Hang(go_on))
        session = await a_session(relay)

        sending = tasks.create_task(send(session))
        await until(lambda: relay.count_commands("MAIL"))

        assert relay.unread == b"RCPT TO:<ada@example.org>\r\nDATA\r\n"
        go_on.set()
        assert await sending == Answered(ACCEPTED)
        assert await quit_session(session)


async def test_one_command_at_a_time_when_pipelining_is_not_offered() -> None:
    async with Relay(offers=frozenset()) as relay:
        session = await a_session(relay)

        assert await send(session) == Answered(ACCEPTED)
        assert await send(session) == Answered(ACCEPTED)

        assert await quit_session(session)
        assert relay.violations == []


async def test_eight_bit_content_is_declared() -> None:
    content = CONTENT + "Grüße\r\n".encode()
    async with Relay() as relay:
        session = await a_session(relay)

        assert await send(session, a_mail(content=content)) == Answered(ACCEPTED)

        assert relay.ledger[0].content == content
        assert await quit_session(session)
        assert relay.violations == []


async def test_an_international_address_is_declared() -> None:
    async with Relay() as relay:
        session = await a_session(relay)
        mail = a_mail(recipient="zoë@example.org", smtputf8=True)

        assert await send(session, mail) == Answered(ACCEPTED)

        assert list(relay.per_recipient) == ["zoë@example.org"]
        assert await quit_session(session)
        assert relay.violations == []


@pytest.mark.parametrize(
    ("mail", "code", "enhanced"),
    [
        (a_mail(recipient="zoë@example.org", smtputf8=True), 553, "5.6.7"),
        (a_mail(content=CONTENT + "ä\r\n".encode()), 554, "5.6.3"),
        (a_mail(content=CONTENT + b"x\r\n" * 1000), 552, "5.3.4"),
    ],
    ids=["SMTPUTF8", "8BITMIME", "SIZE"],
)
async def test_mails_that_need_a_missing_extension_are_refused_here(
    mail: Mail, code: int, enhanced: str
) -> None:
    async with Relay(offers=frozenset({"PIPELINING"}), size=1000) as relay:
        session = await a_session(relay)
        begin = GrantPermit()

        outcome = await send(session, mail, begin)

        assert isinstance(outcome, Answered)
        assert (outcome.reply.stage, outcome.reply.code) == (Stage.MAIL, code)
        assert outcome.reply.enhanced_code == enhanced
        assert (begin.calls, relay.count_commands("MAIL")) == (0, 0)
        assert await send(session) == Answered(ACCEPTED)
        assert await quit_session(session)


@pytest.mark.parametrize("size", [None, 0])
async def test_a_relay_without_a_limit_takes_any_size(size: int | None) -> None:
    async with Relay(size=size) as relay:
        session = await a_session(relay)

        assert await send(session, a_mail(content=CONTENT * 1000)) == Answered(ACCEPTED)

        assert await quit_session(session)
        assert relay.violations == []


FORBIDDEN = ["\r", "\n", "\r\nRCPT TO:<eve@x.org>", "\0", " ", "<", ">", "\t", "\x7f"]


@pytest.mark.parametrize("text", FORBIDDEN)
@pytest.mark.parametrize("field", ["sender", "recipient"])
def test_an_address_cannot_smuggle_in_a_command(field: str, text: str) -> None:
    with pytest.raises(MalformedMail, match="forbids"):
        EncodedMail.encode(a_mail(**{field: f"a{text}b@example.org"}))


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r.\r\n", b"\r.\r", b"\r\n.\n"])
def test_a_content_cannot_smuggle_in_a_second_mail(end: bytes) -> None:
    with pytest.raises(MalformedMail, match="CRLF"):
        EncodedMail.encode(a_mail(content=CONTENT + end + b"MAIL FROM:<eve@x.org>\r\n"))


def test_a_mail_without_a_recipient_or_with_a_foreign_alphabet_undeclared_is_a_mistake() -> None:
    with pytest.raises(MalformedMail, match="recipient"):
        EncodedMail.encode(a_mail(recipient=""))
    with pytest.raises(MalformedMail, match="ascii"):
        EncodedMail.encode(a_mail(recipient="zoë@example.org"))
