"""The conversation with a relay, without a socket: octets, replies, and lost connections."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcsched.adapters.smtp.conversation import CLAIM_LOST, LEASE_ENDS, MAX_FOLLOWED_OCTETS
from gcsched.adapters.smtp.transaction import Stale
from gcsched.domain.permit import Permit
from gcsched.domain.smtp_reply import Answered, Broken, Reply, Stage, Withheld
from tests.support.mails import CONTENT
from tests.support.relay.peer import READY, Peer, Sender, a_permit

KEPT = Answered(Reply(stage=Stage.BODY, code=250, enhanced_code="2.0.0", text="kept"))
BOTH_WAYS = pytest.mark.parametrize("in_group", [True, False], ids=["group", "one"])


def test_an_envelope_is_one_write_and_the_body_another() -> None:
    peer, ada = Peer(), Sender("ada")

    peer.begin(ada)
    peer.transmit(ada)
    peer.reply("250 2.0.0 kept")

    assert peer.written == [ada.envelope, ada.body]
    assert ada.result == KEPT
    assert peer.conversation.is_free


def test_single_commands_are_one_write_each() -> None:
    peer, ada = Peer(), Sender("ada", in_group=False)

    peer.begin(ada)
    peer.transmit(ada)
    peer.reply("250 2.0.0 kept")

    assert peer.written == [*ada.envelope.splitlines(keepends=True), ada.body]
    assert ada.result == KEPT


def test_dots_at_the_start_of_a_line_are_doubled() -> None:
    peer, ada = Peer(), Sender("ada", CONTENT + b".\r\n..x\r\n")

    peer.begin(ada)
    peer.transmit(ada)

    assert peer.written[1] == CONTENT + b"..\r\n...x\r\n.\r\n"


@BOTH_WAYS
def test_a_refused_mail_is_followed_by_rset_in_the_next_mails_first_write(
    *, in_group: bool
) -> None:
    peer, bob = Peer(), Sender("bob", in_group=in_group)
    peer.conversation.start(Sender("ada", in_group=False).transaction)
    peer.reply("250 ok")
    peer.reply("550 5.1.1 no such user")
    peer.take_written()

    peer.conversation.start(bob.transaction)
    first = peer.take_written()
    for line in ("250 forgotten", *READY):
        peer.reply(line)
    peer.transmit(bob)
    peer.reply("250 2.0.0 kept")

    assert first == [b"RSET\r\n" + bob.envelope] if in_group else [b"RSET\r\n"]
    assert bob.result == KEPT


@pytest.mark.parametrize(("reply", "needs_reset"), [("250 kept", False), ("554 no", True)])
def test_a_mail_that_is_refused_at_the_dot_is_followed_by_rset(
    reply: str, *, needs_reset: bool
) -> None:
    peer, ada, bob = Peer(), Sender("ada"), Sender("bob")
    peer.begin(ada)
    peer.transmit(ada)
    peer.reply(reply)
    peer.take_written()

    peer.conversation.start(bob.transaction)

    assert peer.written == [b"RSET\r\n" * needs_reset + bob.envelope]


@pytest.mark.parametrize("reply", ["500 what", "550 no", "421 bye"])
def test_a_session_that_cannot_be_reset_is_stale(reply: str) -> None:
    peer, bob = Peer(), Sender("bob")
    peer.conversation.start(Sender("ada", in_group=False).transaction)
    peer.reply("550 5.7.1 no")

    peer.conversation.start(bob.transaction)
    peer.reply(reply, *READY)

    assert bob.result == Stale()
    assert peer.conversation.lost_reason is not None


def test_a_body_and_the_next_envelope_are_one_write() -> None:
    peer, ada, bob, eve = Peer(), Sender("ada"), Sender("bob"), Sender("eve")

    peer.begin(ada)
    peer.transmit(ada, [bob, eve])
    peer.reply("250 2.0.0 kept", *READY)
    peer.transmit(bob, [eve])
    peer.reply("250 2.0.0 kept", *READY)
    peer.transmit(eve)
    peer.reply("250 2.0.0 kept")

    assert peer.written == [
        ada.envelope,
        ada.body + bob.envelope,
        bob.body + eve.envelope,
        eve.body,
    ]
    assert [each.result for each in (ada, bob, eve)] == [KEPT] * 3
    assert (bob.told, eve.told, peer.conversation.use_count) == (["turn"], ["turn"], 3)


@pytest.mark.parametrize(
    ("content", "in_group"),
    [
        (CONTENT + b"x" * 62 + b"\r\n" * (MAX_FOLLOWED_OCTETS // 2), True),
        (CONTENT, False),
    ],
    ids=["a large body", "single commands"],
)
def test_some_bodies_take_no_mail_behind_them(content: bytes, *, in_group: bool) -> None:
    peer, ada, bob = Peer(), Sender("ada", content, in_group=in_group), Sender("bob")

    peer.begin(ada)
    peer.transmit(ada, [bob])

    assert peer.written[-1] == ada.body
    assert peer.conversation.following is None


# The same octets in other pieces

DIALOGUE = (
    ("250-2.1.0 sender\r\n250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go on\r\n", "ada"),
    ("250 2.0.0 kept\r\n250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go on\r\n", "bob"),
    ("554-5.6.0 not\r\n554 5.6.0 like this\r\n250 ok\r\n550 5.1.1 who?\r\n503 5.5.1 no\r\n", ""),
)
DIALOGUE_RESULTS = [
    KEPT,
    Answered(Reply(stage=Stage.BODY, code=554, enhanced_code="5.6.0", text="not like this")),
    Answered(Reply(stage=Stage.RCPT, code=550, enhanced_code="5.1.1", text="who?")),
]


def converse_in_pieces(cuts: list[list[int]]) -> list[object]:
    """Send three mails in one session to a relay that cuts its replies at *cuts*."""
    peer, senders = Peer(), {name: Sender(name) for name in ("ada", "bob", "eve")}
    following = {"ada": [senders["bob"]], "bob": [senders["eve"]]}
    peer.conversation.start(senders["ada"].transaction)
    for (text, next_body), places in zip(DIALOGUE, cuts, strict=True):
        octets = text.encode()
        edges = [0, *sorted(places), len(octets)]
        for start, end in pairwise(edges):
            peer.conversation.receive(octets[start:end])
        if next_body:
            peer.transmit(senders[next_body], following[next_body])
    assert peer.conversation.is_free
    return [each.result for each in senders.values()]


@given(st.tuples(*(st.lists(st.integers(0, len(text))) for text, _ in DIALOGUE)))
@settings(deadline=None, max_examples=100)
def test_replies_mean_the_same_however_they_are_cut(cuts: tuple[list[int], ...]) -> None:
    assert converse_in_pieces([*cuts]) == DIALOGUE_RESULTS


def test_replies_may_come_octet_by_octet() -> None:
    assert converse_in_pieces([[*range(len(text))] for text, _ in DIALOGUE]) == DIALOGUE_RESULTS


# The end of a session

ENVELOPE_STEPS = [((), Stage.MAIL), (READY[:1], Stage.RCPT), (READY[:2], Stage.DATA)]


@BOTH_WAYS
@pytest.mark.parametrize(("replies", "stage"), ENVELOPE_STEPS)
def test_a_session_that_is_lost_in_an_envelope_breaks_at_that_stage(
    replies: tuple[str, ...], stage: Stage, *, in_group: bool
) -> None:
    peer, ada = Peer(), Sender("ada", in_group=in_group)
    peer.conversation.start(ada.transaction)
    for line in replies:
        peer.reply(line)

    peer.conversation.lose("the connection closed")
    peer.conversation.lose("again")

    assert ada.result == Broken(stage, "the connection closed")
    assert peer.conversation.next_deadline == float("inf")


def test_a_session_that_is_lost_before_the_permit_loses_no_body_and_ignores_the_permit() -> None:
    peer, ada = Peer(), Sender("ada")
    peer.begin(ada)
    peer.take_written()

    peer.conversation.lose("the connection closed")
    peer.conversation.transmit(a_permit(), lambda: Sender("bob").transaction)

    assert ada.result == Broken(Stage.DATA, "the connection closed")
    assert peer.written == []


def test_a_kept_session_that_is_lost_at_its_first_command_is_stale() -> None:
    peer, ada, bob = Peer(), Sender("ada"), Sender("bob")
    peer.begin(ada)
    peer.transmit(ada)
    peer.reply("250 2.0.0 kept")

    peer.conversation.start(bob.transaction)
    peer.conversation.lose("the connection closed")

    assert (ada.result, bob.result) == (KEPT, Stale())


@pytest.mark.parametrize(
    ("permit", "outcome"), [(None, CLAIM_LOST), (a_permit(seconds=-1), LEASE_ENDS)]
)
def test_without_a_permit_nothing_is_written_and_the_session_is_lost(
    permit: Permit | None, outcome: Withheld
) -> None:
    peer, ada = Peer(), Sender("ada")
    peer.begin(ada)
    peer.take_written()

    peer.conversation.transmit(permit, lambda: Sender("bob").transaction)

    assert (ada.result, peer.written) == (outcome, [])
    assert peer.conversation.lost_reason == "its mail was withheld"


@pytest.mark.parametrize(
    "octets",
    [b"220 hello\r\n", b"25", b"nonsense\r\n", b"250-ok\r\n251 ok\r\n", b"600 what\r\n"],
    ids=["unasked", "half", "no reply", "two codes", "no code"],
)
def test_octets_that_no_command_asked_for_end_the_session(octets: bytes) -> None:
    peer, ada = Peer(), Sender("ada")
    peer.begin(ada)

    peer.conversation.receive(octets)

    assert ada.result is not None
    assert isinstance(ada.result, Broken)
    assert ada.result.stage is Stage.DATA


def test_a_complete_reply_counts_though_nonsense_comes_with_it() -> None:
    peer, ada = Peer(), Sender("ada")
    peer.begin(ada)
    peer.transmit(ada)

    peer.conversation.receive(b"250 2.0.0 kept\r\nnonsense\r\n")

    assert ada.result == KEPT
    assert peer.conversation.lost_reason is not None
