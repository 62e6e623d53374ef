"""The tests' relay, used by the standard library's client and by raw octets."""

import asyncio
import json
import smtplib
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.connections import open_streams
from tests.support.mails import CONTENT
from tests.support.relay.server import (
    Action,
    Answer,
    At,
    Drop,
    Faults,
    Greylist,
    LoseReply,
    Moment,
    Relay,
    Throttle,
    Trickle,
    relay_command,
)

ROOT = Path(__file__).parents[3]
SENDER, RECIPIENT = "team@example.org", "ada@example.org"


async def run_session(relay: Relay, *steps: Callable[[smtplib.SMTP], object]) -> list[object]:
    """Run *steps* in one session of the standard library's client; an SMTP error is a result."""

    def run_step(step: Callable[[smtplib.SMTP], object], smtp: smtplib.SMTP) -> object:
        try:
            return step(smtp)
        except smtplib.SMTPException as error:
            return error

    def run() -> list[object]:
        with smtplib.SMTP("127.0.0.1", relay.port, "client.test", timeout=10) as smtp:
            return [run_step(step, smtp) for step in steps]

    return await asyncio.to_thread(run)


def send(smtp: smtplib.SMTP) -> object:
    return smtp.sendmail(SENDER, [RECIPIENT], CONTENT)


async def send_raw(relay: Relay, octets: bytes) -> bytes:
    """Write *octets* in one piece, and read until the relay hangs up."""
    async with open_streams(relay.port) as (reader, writer):
        await reader.readline()
        writer.write(octets)
        return await asyncio.wait_for(reader.read(), 10)


async def test_a_mail_is_kept_as_it_was_sent() -> None:
    dotted = CONTENT + b".\r\n..two\r\n.three\r\n"
    async with Relay() as relay:
        await run_session(
            relay, lambda smtp: smtp.sendmail(SENDER, [RECIPIENT, "bob@x.org"], dotted)
        )

        assert [kept.content for kept in relay.ledger] == [dotted, dotted]
        assert set(relay.per_recipient) == {RECIPIENT, "bob@x.org"}
        assert relay.ledger[0].header("Subject") == "Stand-up"
        assert relay.violations == []


@pytest.mark.parametrize("at", [At.MAIL, At.RCPT, At.DATA, At.BODY])
async def test_the_second_mail_is_refused_at_the_stage_of_the_script(at: At) -> None:
    async with Relay() as relay:
        relay.script(at, Answer(450, "4.2.0 later"), nth=2)

        first, second, _, third = await run_session(relay, send, send, smtplib.SMTP.rset, send)

        assert (first, third) == ({}, {})
        assert isinstance(second, smtplib.SMTPException)
        assert len(relay.ledger) == 2


async def test_a_reply_to_the_dot_is_lost_after_the_mail_was_kept() -> None:
    async with Relay() as relay:
        relay.script(At.BODY, LoseReply())

        (outcome,) = await run_session(relay, send)

        assert isinstance(outcome, smtplib.SMTPServerDisconnected)
        assert len(relay.ledger) == 1


@pytest.mark.parametrize(("action", "kept"), [(Drop(), 0), (Drop(after=True), 1)])
async def test_it_hangs_up_before_or_after_the_reply(action: Action, kept: int) -> None:
    async with Relay() as relay:
        relay.script(At.BODY, action)

        await run_session(relay, send)

        assert len(relay.ledger) == kept


async def test_a_trickled_reply_is_the_ordinary_reply() -> None:
    async with Relay() as relay:
        relay.script(At.RCPT, Trickle(0.001))

        assert await run_session(relay, send) == [{}]


async def test_each_recipient_is_greylisted_once() -> None:
    async with Relay() as relay:
        relay.add_rule(Greylist())

        first, second = await run_session(relay, send, send)

        assert isinstance(first, smtplib.SMTPRecipientsRefused)
        assert second == {}


async def test_mails_that_come_too_fast_are_throttled() -> None:
    throttle = Throttle(per_second=0)
    async with Relay() as relay:
        relay.add_rule(throttle)

        (outcome,) = await run_session(relay, send)

        assert isinstance(outcome, smtplib.SMTPSenderRefused)
        assert outcome.smtp_code == 421


async def test_a_relay_that_requires_rset_refuses_other_commands_until_then() -> None:
    async with Relay(requires_rset=True) as relay:
        relay.script(At.RCPT, Answer(550, "5.1.1 no such user"), nth=1)

        replies = await run_session(
            relay,
            lambda smtp: smtp.docmd("EHLO", "client.test")[0],
            lambda smtp: smtp.mail(SENDER)[0],
            lambda smtp: smtp.rcpt(RECIPIENT)[0],
            lambda smtp: smtp.rcpt("bob@example.org")[0],
            lambda smtp: smtp.rset()[0],
            lambda smtp: smtp.mail(SENDER)[0],
        )

        assert replies == [250, 250, 550, 503, 250, 250]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize(("password", "code"), [("right", 235), ("wrong", 535)])
async def test_it_accepts_only_its_users(mechanism: str, password: str, code: int) -> None:
    async with Relay(users={"ada": "right"}, mechanisms=mechanism) as relay:

        def login(smtp: smtplib.SMTP) -> int:
            try:
                return smtp.login("ada", password)[0]
            except smtplib.SMTPAuthenticationError as error:
                return error.smtp_code

        assert await run_session(relay, login) == [code]


async def test_without_login_it_takes_nothing() -> None:
    async with Relay(users={"ada": "right"}) as relay:
        (outcome,) = await run_session(relay, send)

        assert isinstance(outcome, smtplib.SMTPSenderRefused)
        assert outcome.smtp_code == 530


async def test_it_speaks_starttls() -> None:
    async with Relay(security="starttls", certificate_for="127.0.0.1") as relay:
        trust = ssl.create_default_context(cafile=relay.ca_file)

        upgraded, sent = await run_session(
            relay, lambda smtp: smtp.starttls(context=trust)[0], send
        )

        assert (upgraded, sent) == (220, {})
        assert relay.violations == []


EHLO, MAIL, RCPT = b"EHLO me\r\n", b"MAIL FROM:<a@x.org>\r\n", b"RCPT TO:<b@x.org>\r\n"


@pytest.mark.parametrize(
    ("content", "violation"),
    [
        (b"a\nb\r\n", "a CR or LF that is not part of a CRLF"),
        (b"x" * 999 + b"\r\n", "a line of more than 998 octets"),
        ("ä\r\n".encode(), "8-bit content without BODY=8BITMIME"),
        (b"", "an empty mail"),
    ],
)
async def test_it_notices_forbidden_content(content: bytes, violation: str) -> None:
    async with Relay() as relay:
        await send_raw(relay, EHLO + MAIL + RCPT + b"DATA\r\n" + content + b".\r\nQUIT\r\n")

        assert violation in relay.violations


@pytest.mark.parametrize(
    ("octets", "violation"),
    [
        (EHLO + MAIL + b"QUIT\r\n", "sent more before the reply to EHLO"),
        (
            EHLO + b"MAIL FROM:<a@x.org> AUTH=x\r\nQUIT\r\n",
            "MAIL with a wrong or unoffered parameter",
        ),
        (EHLO + MAIL + MAIL + b"QUIT\r\n", "MAIL inside of a transaction"),
        (EHLO + b"RCPT TO:<a b@x.org>\r\nQUIT\r\n", "RCPT with a wrong address or a parameter"),
        (EHLO + b"HELP\nQUIT\r\n", "HELP does not end with CRLF alone"),
        (EHLO + "RCPT TO:<ä@x.org>\r\nQUIT\r\n".encode(), "RCPT is not ASCII"),
        (EHLO + b"NOOP " + b"x" * 1024 + b"\r\nQUIT\r\n", "NOOP is 1031 octets long"),
    ],
)
async def test_it_notices_forbidden_commands(octets: bytes, violation: str) -> None:
    async with Relay() as relay:
        await send_raw(relay, octets)

        assert violation in relay.violations


async def test_it_notices_pipelining_that_it_did_not_announce() -> None:
    async with Relay(offers=frozenset()) as relay:
        await send_raw(relay, EHLO + MAIL + RCPT + b"QUIT\r\n")

        assert "sent more before the reply to MAIL" in relay.violations


def test_faults_are_the_same_for_the_same_seed() -> None:
    moments = [Moment(at=at, nth=1, session=1) for at in At] * 20

    def once(seed: int) -> list[object]:
        faults = Faults(seed=seed, share=0.5)
        return [faults(moment) for moment in moments]

    assert once(1) == once(1)
    assert once(1) != once(2)


def test_as_a_process_it_writes_down_each_mail_before_it_replies(tmp_path: Path) -> None:
    ledger = tmp_path / "kept.jsonl"
    line = relay_command(port=0, ledger=ledger)
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().split()[-1])
        with smtplib.SMTP("127.0.0.1", port, "client.test", timeout=10) as smtp:
            send(smtp)
            (entry,) = map(json.loads, ledger.read_text().splitlines())
        process.kill()

    assert entry["recipient"] == RECIPIENT
    assert entry["subject"] == "Stand-up"
    assert entry["message_id"] == "<1@example.org>"
    assert entry["session"] == 1
