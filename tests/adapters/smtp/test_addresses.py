"""Addresses of every form in a real conversation, and relays without SMTPUTF8."""

import pytest

from gcsched.adapters.smtp.envelope import EncodedMail
from gcsched.domain.mail import Mail
from gcsched.domain.outcome import make_attempt
from gcsched.domain.smtp_reply import Answered, Kind, Stage
from gcsched.errors import MalformedMail
from tests.support.builders import NOW
from tests.support.mails import CONTENT, GrantPermit, a_mail
from tests.support.relay.client import (
    ACCEPTED,
    BOTH_WAYS,
    a_pool,
    a_session,
    deliver,
    quit_session,
    send,
)
from tests.support.relay.server import Answer, At, Relay

REPLY_TO = "bøb@example.org"
OFFERS = frozenset({"PIPELINING", "8BITMIME", "SMTPUTF8"})
NOTE = f"sent without Reply-To {REPLY_TO}, which needs SMTPUTF8"


def a_mail_with_reply_to(reply_to: str = REPLY_TO, recipient: str = "ada@example.org") -> Mail:
    """Make a mail as the composer does for an international reply address."""
    content = f"Reply-To: {reply_to}\r\n".encode() + CONTENT
    fallback = a_mail(recipient=recipient, left_out=f"Reply-To {reply_to}")
    return a_mail(recipient=recipient, content=content, smtputf8=True, ascii_fallback=fallback)


@pytest.mark.parametrize(
    "address",
    [
        *("root@localhost", "ada@mailhost", "ada@[192.0.2.1]", "ada@[ipv6:2001:db8::1]"),
        *('"ab..cd"@example.org', '"a b"@example.org', '"a@b"@[192.0.2.1]', '" "@localhost'),
        *('"<a> size=1"@example.org', '"say \\"hi\\""@example.org', '"\\\\"@example.org'),
    ],
)
@BOTH_WAYS
async def test_an_address_of_any_form_is_sent_to_and_from(
    address: str, offers: frozenset[str]
) -> None:
    async with Relay(offers=offers) as relay:
        session = await a_session(relay)

        outcome = await send(session, a_mail(sender=address, recipient=address))

        assert outcome == Answered(ACCEPTED)
        (kept,) = relay.ledger
        assert (kept.sender, kept.recipient) == (address, address)
        assert await quit_session(session)
        assert relay.violations == []


@pytest.mark.parametrize(
    "address",
    [
        '"a\r\nRCPT TO:<eve@x.org>"@b.org',
        '"a\\\r"@b.org',
        '"a\0"@b.org',
        '"a"> SIZE=1@b.org',
        '"a" <b@c.org>',
        '"a@b.org>',
        '"a\\"@b.org> x',
        '""@b.org> x',
        '"a"@b.org x',
        'x"a b"@b.org',
    ],
)
def test_quotes_smuggle_in_nothing(address: str) -> None:
    with pytest.raises(MalformedMail, match="forbids"):
        EncodedMail.encode(a_mail(recipient=address))


@pytest.mark.parametrize(
    "offers", [OFFERS - {"SMTPUTF8"}, OFFERS - {"8BITMIME"}, frozenset()], ids=["no", "half", "old"]
)
async def test_an_address_for_replies_that_the_relay_cannot_carry_is_left_out(
    offers: frozenset[str],
) -> None:
    begin = GrantPermit()
    async with Relay(offers=offers) as relay:
        session = await a_session(relay)

        outcome = await send(session, a_mail_with_reply_to(), begin)

        (kept,) = relay.ledger
        assert kept.content == CONTENT
        assert outcome == Answered(ACCEPTED, NOTE)
        assert begin.calls == 1
        assert await quit_session(session)
        assert relay.violations == []


async def test_an_address_for_replies_that_the_relay_can_carry_is_kept() -> None:
    async with Relay() as relay:
        session = await a_session(relay)

        assert await send(session, a_mail_with_reply_to()) == Answered(ACCEPTED)

        (kept,) = relay.ledger
        assert f"Reply-To: {REPLY_TO}\r\n".encode() in kept.content
        assert await quit_session(session)
        assert relay.violations == []


@pytest.mark.parametrize(
    ("at", "answer"),
    [
        (At.MAIL, Answer(550, "5.6.7 SMTPUTF8 is not for this sender")),
        (At.RCPT, Answer(553, "5.6.7 the next relay has no SMTPUTF8")),
        (At.DATA, Answer(554, "5.6.9 no international headers")),
        (At.BODY, Answer(554, "5.6.9 no international headers")),
    ],
    ids=["MAIL", "RCPT", "DATA", "BODY"],
)
@pytest.mark.parametrize("always_354", [False, True], ids=["in step", "hangs up"])
async def test_a_relay_that_offers_smtputf8_and_refuses_it_gets_the_mail_without(
    at: str, answer: Answer, *, always_354: bool
) -> None:
    async with Relay(always_354=always_354) as relay, a_pool(relay) as pool:
        relay.script(at, answer, nth=1)

        outcome = await deliver(pool, a_mail_with_reply_to())

        (kept,) = relay.ledger
        assert kept.content == CONTENT
        assert outcome == Answered(ACCEPTED, NOTE)
        assert relay.violations == []


async def test_a_refusal_that_has_another_cause_is_the_answer() -> None:
    async with Relay() as relay, a_pool(relay) as pool:
        relay.script(At.RCPT, Answer(550, "5.1.1 no such user"))

        outcome = await deliver(pool, a_mail_with_reply_to())

        assert isinstance(outcome, Answered)
        assert (outcome.reply.enhanced_code, outcome.note) == ("5.1.1", "")
        assert relay.count_commands("RCPT") == 1


async def test_a_relay_that_refuses_both_forms_is_tried_twice_only() -> None:
    async with Relay() as relay, a_pool(relay) as pool:
        relay.script(At.RCPT, Answer(553, "5.6.7 never"))

        outcome = await deliver(pool, a_mail_with_reply_to())

        assert isinstance(outcome, Answered)
        assert outcome.reply.enhanced_code == "5.6.7"
        assert relay.count_commands("RCPT") == 2


async def test_a_recipient_that_needs_a_missing_extension_is_named() -> None:
    async with Relay(offers=OFFERS - {"SMTPUTF8"}) as relay:
        session = await a_session(relay)

        outcome = await send(session, a_mail(recipient="zoë@example.org", smtputf8=True))

        assert isinstance(outcome, Answered)
        assert "the address zoë@example.org needs" in outcome.reply.text
        assert await quit_session(session)


def test_the_history_has_the_note_on_the_reply_address_however_long_a_reply_is() -> None:
    for text in ("kept", "x" * 2000):
        reply = ACCEPTED.__class__(stage=Stage.BODY, code=250, text=text)

        attempt = make_attempt(Answered(reply, NOTE), relay="r", start_time=NOW, end_time=NOW)

        assert attempt.kind is Kind.ACCEPTED
        assert attempt.text.startswith("250 at BODY: ")
        assert attempt.text.endswith(f" ({NOTE})")
        assert len(attempt.text) <= 512
