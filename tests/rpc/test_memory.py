"""What calls hold is counted over all of them, and the last part is kept for the small ones."""

import pytest

from gcsched.errors import MemoryFull
from gcsched.rpc.memory import CALL_OCTETS, INVITATIONS, LARGE, MEDIUM, Memory, share_of


def test_what_is_given_back_can_be_held_again() -> None:
    memory = Memory(100)
    memory.take(60)
    memory.take(40)

    with pytest.raises(MemoryFull, match="call again"):
        memory.take(1)
    memory.give_back(60)
    memory.give_back(40)
    memory.take(100)

    assert memory.held == 100


def test_a_call_gives_back_at_its_end_what_each_holds() -> None:
    memory = Memory(2 * CALL_OCTETS)
    memory.take(CALL_OCTETS)
    memory.take(100)

    memory.end_call(object())

    assert memory.held == 100


def test_what_is_done_is_counted_beyond_the_limit_and_given_back() -> None:
    memory = Memory(100)
    memory.take(90)
    memory.add(200)

    with pytest.raises(MemoryFull):
        memory.take(1)
    memory.give_back(200)
    memory.take(10)

    assert memory.held == 100


def test_a_refusal_holds_nothing() -> None:
    memory = Memory(100)

    with pytest.raises(MemoryFull):
        memory.take(51, share=LARGE)

    assert memory.held == 0


def test_the_larger_the_sooner_is_it_refused() -> None:
    assert LARGE < MEDIUM < INVITATIONS < 1
    assert [share_of(octets) for octets in (4_097, 64 * 1024, 64 * 1024 + 1)] == [
        MEDIUM,
        MEDIUM,
        LARGE,
    ]
