"""A mail whose envelope was sent with the body before it: what becomes of both."""

from datetime import timedelta

import pytest

from gcsched.adapters.smtp.relay_settings import Timeouts
from gcsched.adapters.smtp.transaction import Stale
from gcsched.domain.smtp_reply import Answered, Broken, Reply, Stage
from tests.support.relay.peer import READY, Peer, Sender

KEPT = Answered(Reply(stage=Stage.BODY, code=250, enhanced_code="2.0.0", text="kept"))
GONE = "the connection closed"


def make_both(timeouts: Timeouts | None = None) -> tuple[Peer, Sender, Sender]:
    """Return a relay that has the body of the first mail and the envelope of the second one."""
    peer, first, second = Peer(timeouts or Timeouts()), Sender("first"), Sender("second")
    peer.follow(first, second)
    return peer, first, second


def test_a_mail_that_is_refused_at_the_dot_does_not_touch_the_one_that_follows() -> None:
    peer, first, second = make_both()

    peer.reply("554 5.6.0 not like this", *READY)
    peer.transmit(second)
    peer.reply("250 2.0.0 kept")

    assert isinstance(first.result, Answered)
    assert (first.result.reply.stage, first.result.reply.code) == (Stage.BODY, 554)
    assert second.result == KEPT
    assert peer.take_written() == [second.body]  # an ended transaction needs no RSET


@pytest.mark.parametrize(
    ("replies", "stage"),
    [
        (("550 5.7.1 no", "503 5.5.1 no", "503 5.5.1 no"), Stage.MAIL),
        (("250 ok", "550 5.7.1 no", "503 5.5.1 no"), Stage.RCPT),
        (("250 ok", "250 ok", "550 5.7.1 no"), Stage.DATA),
    ],
)
def test_a_mail_that_follows_may_be_refused_and_the_session_goes_on(
    replies: tuple[str, ...], stage: Stage
) -> None:
    peer, first, second = make_both()
    third = Sender("third")

    peer.reply("250 2.0.0 kept", *replies)
    peer.conversation.start(third.transaction)

    refusal = Reply(stage=stage, code=550, enhanced_code="5.7.1", text="no")
    assert (first.result, second.result) == (KEPT, Answered(refusal))
    assert second.transaction.has_followed
    assert peer.take_written() == [b"RSET\r\n" + third.envelope]


@pytest.mark.parametrize(
    "replies", [("550 5.7.1 no", "250 ok", "354 go on"), ("250 ok", "550 5.7.1 no", "354 go on")]
)
def test_an_accepted_data_after_a_refusal_ends_the_session(replies: tuple[str, ...]) -> None:
    peer, first, second = make_both()

    peer.reply("250 2.0.0 kept", *replies)

    assert first.result == KEPT
    assert isinstance(second.result, Answered)
    assert second.result.reply.code == 550
    assert peer.conversation.lost_reason == "the session is out of step after a refusal"
    assert peer.written == []


@pytest.mark.parametrize(
    "replies", [("503 5.5.1 what?",) * 3, ("250 ok", "554 SMTP synchronization error", "503 no")]
)
def test_a_mail_that_was_not_understood_is_sent_again_in_a_group_of_its_own(
    replies: tuple[str, ...],
) -> None:
    peer, first, second = make_both()

    peer.reply("250 2.0.0 kept", *replies)

    assert (first.result, second.result) == (KEPT, Stale())
    assert second.transaction.has_followed is False
    assert peer.conversation.is_free


def test_a_relay_that_closes_the_session_after_a_body_leaves_the_next_mail_untouched() -> None:
    peer, first, second = make_both()

    peer.reply("421 4.3.2 going down")

    assert isinstance(first.result, Answered)
    assert (first.result.reply.stage, first.result.reply.code) == (Stage.BODY, 421)
    assert second.result == Stale()
    assert second.transaction.has_followed is None


@pytest.mark.parametrize("code", ["354 go on", "221 bye"])
def test_only_a_completion_is_an_acceptance(code: str) -> None:
    peer, first, second = make_both()
    peer.unsent = len(second.envelope) + 1  # an octet of the body

    peer.reply(code)

    expected = f"the relay answered {code[:3]} before the final dot"
    assert (first.result, second.result) == (Broken(Stage.BODY, expected), Stale())


def test_octets_of_the_envelope_behind_it_are_not_of_the_body() -> None:
    peer, first, second = make_both()
    peer.unsent = len(second.envelope)

    peer.reply("250 2.0.0 kept")

    assert (first.result, second.result) == (KEPT, None)


def test_a_refusal_before_the_whole_body_was_read_ends_the_session() -> None:
    peer, first, second = make_both()
    peer.unsent = len(second.envelope) + 1

    peer.reply("552 5.3.4 too large")

    assert isinstance(first.result, Answered)
    assert first.result.reply.code == 552
    assert second.result == Stale()


# A lost connection


def test_lost_before_the_body_only_the_first_mail_is_broken_and_not_uncertain() -> None:
    peer, first = Peer(), Sender("first")
    peer.begin(first)

    peer.conversation.lose(GONE)

    assert first.result == Broken(Stage.DATA, GONE)


@pytest.mark.parametrize("unsent", [0, 10_000])
def test_lost_after_a_body_began_exactly_that_mail_is_uncertain(unsent: int) -> None:
    peer, first, second = make_both()
    peer.unsent = unsent

    peer.conversation.lose(GONE)

    assert (first.result, second.result) == (Broken(Stage.BODY, GONE), Stale())


@pytest.mark.parametrize(
    ("replies", "result"),
    [
        ((), Stale()),
        (READY[:1], Broken(Stage.RCPT, GONE)),
        (READY[:2], Broken(Stage.DATA, GONE)),
        (READY, Broken(Stage.DATA, GONE)),
    ],
)
def test_lost_after_the_reply_to_the_first_body_no_mail_is_uncertain(
    replies: tuple[str, ...], result: Broken | Stale
) -> None:
    peer, first, second = make_both()
    peer.reply("250 2.0.0 kept", *replies)

    peer.conversation.lose(GONE)

    assert (first.result, second.result) == (KEPT, result)


def test_lost_after_the_second_body_began_the_second_and_not_the_third_is_uncertain() -> None:
    peer, first, second = make_both()
    third = Sender("third")
    peer.reply("250 2.0.0 kept", *READY)
    peer.transmit(second, [third])

    peer.conversation.lose(GONE)

    assert [each.result for each in (first, second, third)] == [
        KEPT,
        Broken(Stage.BODY, GONE),
        Stale(),
    ]


# Silence


def test_a_relay_that_discards_what_follows_a_body_is_not_waited_for_long() -> None:
    peer, first, second = make_both()
    peer.reply("250 2.0.0 kept")

    peer.forward(9.9)
    early = second.result
    peer.forward(0.1)

    assert (first.result, early, second.result) == (KEPT, None, Stale())
    assert second.transaction.has_followed is False
    assert peer.conversation.lost_reason == "no answer within 10 seconds"


@pytest.mark.parametrize(("replies", "stage"), [(READY[:1], Stage.RCPT), (READY[:2], Stage.DATA)])
def test_after_its_first_reply_a_mail_that_follows_has_the_ordinary_deadlines(
    replies: tuple[str, ...], stage: Stage
) -> None:
    minute = timedelta(minutes=1)
    peer, _, second = make_both(Timeouts(rcpt=minute, data=minute))
    peer.reply("250 2.0.0 kept", *replies)

    peer.forward(59.9)
    early = second.result
    peer.forward(0.1)

    assert (early, second.result) == (None, Broken(stage, "no answer within 60 seconds"))
    assert second.transaction.has_followed is False


def test_a_relay_that_lost_the_first_commands_of_a_mail_is_not_waited_for_long_either() -> None:
    peer, _, second = make_both()
    peer.reply("250 2.0.0 kept", "503 5.5.1 MAIL first")

    peer.forward(10)

    assert second.result == Stale()


def test_a_relay_that_is_silent_to_a_body_makes_that_mail_uncertain() -> None:
    peer, first, second = make_both(Timeouts(dot=timedelta(seconds=20)))

    peer.forward(1)
    peer.forward(18.9)
    early = first.result
    peer.forward(0.1)

    assert (early, first.result) == (None, Broken(Stage.BODY, "no answer within 20 seconds"))
    assert (second.told, second.results) == (["withdrawn"], [])


def test_a_mail_that_follows_for_a_second_is_withdrawn() -> None:
    peer, first, second = make_both()

    peer.forward(0.9)
    early = [*second.told]
    peer.forward(0.1)
    peer.forward(30)

    assert (early, second.told) == ([], ["withdrawn"])
    assert first.result is None


@pytest.mark.parametrize("replies", [(), READY])
def test_when_a_withdrawn_mail_has_its_turn_the_session_ends_without_its_body(
    replies: tuple[str, ...],
) -> None:
    peer, first, second = make_both()
    peer.forward(1)

    peer.reply("250 2.0.0 kept", *replies)

    assert first.result == KEPT
    assert (second.told, second.results) == (["withdrawn"], [])  # its sender has gone elsewhere
    assert peer.conversation.lost_reason == "the mail that followed was withdrawn"
    assert peer.written == []


def test_a_mail_that_has_its_turn_is_not_withdrawn_any_more() -> None:
    peer, _, second = make_both()
    peer.forward(0.9)
    peer.reply("250 2.0.0 kept", "250 ok")

    peer.forward(5)

    assert second.told == ["turn"]
    assert second.result is None


def test_a_mail_that_is_given_up_while_it_follows_is_never_mentioned() -> None:
    peer, first, second = make_both()

    peer.conversation.give_up_following()
    peer.forward(5)
    peer.reply("250 2.0.0 kept", *READY)

    assert first.result == KEPT
    assert (second.told, second.results) == ([], [])
    assert peer.conversation.lost_reason is not None
