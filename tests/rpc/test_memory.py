"""The memory of all calls is counted together, and the last part is reserved for small ones."""

import pytest

from gcsched.errors import MemoryFull
from gcsched.rpc.memory import (
    CALL_OCTETS,
    LARGE_SHARE,
    MEDIUM_SHARE,
    SCHEDULE_SHARE,
    MemoryBudget,
    share_for_size,
)


def test_released_memory_can_be_reserved_again() -> None:
    memory = MemoryBudget(100)
    memory.reserve(60)
    memory.reserve(40)

    with pytest.raises(MemoryFull, match="call again"):
        memory.reserve(1)
    memory.release(60)
    memory.release(40)
    memory.reserve(100)

    assert memory.reserved == 100


def test_a_call_releases_its_memory_at_its_end() -> None:
    memory = MemoryBudget(2 * CALL_OCTETS)
    memory.reserve(CALL_OCTETS)
    memory.reserve(100)

    memory.release_call(object())

    assert memory.reserved == 100


def test_finished_work_is_counted_beyond_the_limit_and_released() -> None:
    memory = MemoryBudget(100)
    memory.reserve(90)
    memory.reserve_unchecked(200)

    with pytest.raises(MemoryFull):
        memory.reserve(1)
    memory.release(200)
    memory.reserve(10)

    assert memory.reserved == 100


def test_a_refusal_holds_nothing() -> None:
    memory = MemoryBudget(100)

    with pytest.raises(MemoryFull):
        memory.reserve(51, share=LARGE_SHARE)

    assert memory.reserved == 0


def test_larger_requests_are_refused_sooner() -> None:
    assert LARGE_SHARE < MEDIUM_SHARE < SCHEDULE_SHARE < 1
    assert [share_for_size(octets) for octets in (4_097, 64 * 1024, 64 * 1024 + 1)] == [
        MEDIUM_SHARE,
        MEDIUM_SHARE,
        LARGE_SHARE,
    ]
