"""What calls hold is counted over all of them, and the last part is kept for the small ones."""

import pytest

from gcsched.errors import MemoryFull
from gcsched.rpc.memory import INVITATIONS, LARGE, MEDIUM, Holding, Memory, share_of


def test_what_is_given_back_can_be_held_again() -> None:
    memory = Memory(100)
    one, two = Holding(memory), Holding(memory)
    one.take(60)
    one.take(40)

    with pytest.raises(MemoryFull, match="call again"):
        two.take(1)
    one.give_back()
    one.give_back()
    two.take(100)

    assert memory.held == 100


def test_a_refusal_holds_nothing() -> None:
    memory = Memory(100)
    holding = Holding(memory)

    with pytest.raises(MemoryFull):
        holding.take(51, share=LARGE)

    assert (memory.held, holding.octets) == (0, 0)


def test_the_larger_the_sooner_is_it_refused() -> None:
    assert LARGE < MEDIUM < INVITATIONS < 1
    assert [share_of(octets) for octets in (4_097, 64 * 1024, 64 * 1024 + 1)] == [
        MEDIUM,
        MEDIUM,
        LARGE,
    ]
