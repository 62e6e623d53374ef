"""When a reply is overdue, and what a mail becomes then: without a socket, on a fake clock."""

from datetime import timedelta

import pytest

from gcsched.adapters.smtp.relay_settings import Timeouts
from gcsched.adapters.smtp.replies import RawReply
from gcsched.domain.smtp_reply import Broken, Stage
from tests.support.relay.peer import READY, Peer, Sender

BOTH_WAYS = pytest.mark.parametrize("in_group", [True, False], ids=["group", "one"])
DISTINCT = Timeouts(
    mail=timedelta(seconds=31),
    rcpt=timedelta(seconds=32),
    data=timedelta(seconds=33),
    body_stall=timedelta(seconds=34),
    dot=timedelta(seconds=35),
)


@pytest.mark.parametrize(
    ("replies", "seconds", "stage"),
    [((), 31, Stage.MAIL), (READY[:1], 32, Stage.RCPT), (READY[:2], 33, Stage.DATA)],
)
@BOTH_WAYS
def test_each_step_of_an_envelope_has_its_own_deadline(
    replies: tuple[str, ...], seconds: int, stage: Stage, *, in_group: bool
) -> None:
    peer, ada = Peer(DISTINCT), Sender("ada", in_group=in_group)
    peer.conversation.start(ada.transaction)
    for line in replies:
        peer.forward(30.9)
        peer.reply(line)

    peer.forward(seconds - 0.1)
    early = ada.result
    peer.forward(0.1)

    assert early is None
    assert ada.result == Broken(stage, f"no answer within {seconds} seconds")
    # Silence to the first command says nothing about the group.
    assert ada.transaction.has_stalled == (in_group and stage is not Stage.MAIL)


def test_a_relay_that_waits_for_a_body_is_not_overdue() -> None:
    peer, ada = Peer(DISTINCT), Sender("ada")

    peer.begin(ada)

    assert peer.conversation.next_deadline == float("inf")


def test_the_reply_to_a_body_is_due_only_after_its_last_octet() -> None:
    peer, ada = Peer(DISTINCT, unsent=3000), Sender("ada")
    peer.begin(ada)
    peer.transmit(ada)

    for unsent in (2000, 1000, 0):
        peer.unsent = unsent
        peer.forward(34)
    assert ada.result is None
    peer.forward(34.9)
    assert ada.result is None
    peer.forward(0.1)

    assert ada.result == Broken(Stage.BODY, "no answer within 35 seconds")


def test_a_relay_that_takes_no_octets_of_a_body_is_overdue() -> None:
    peer, ada = Peer(DISTINCT, unsent=3000), Sender("ada")
    peer.begin(ada)
    peer.transmit(ada)

    peer.forward(34)

    assert ada.result == Broken(Stage.BODY, "no answer within 34 seconds")


def test_noop_has_its_reply_or_none_if_the_session_is_lost() -> None:
    codes: list[int | None] = []
    peer = Peer()

    def record(reply: RawReply | None) -> None:
        codes.append(None if reply is None else reply.code)

    for _ in range(2):
        peer.conversation.exchange(b"NOOP\r\n", record, timedelta(seconds=5))
        assert not peer.conversation.is_free
        peer.reply("250 ok")
    peer.conversation.exchange(b"NOOP\r\n", record, timedelta(seconds=5))
    peer.forward(5)

    assert codes == [250, 250, None]
    assert peer.conversation.lost_reason == "no answer within 5 seconds"
