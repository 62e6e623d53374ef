import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from gcsched.errors import Overloaded, Stopping, StoreUnavailable
from gcsched.usecases.batching import Group
from tests.support.builders import running
from tests.support.wait import until

AN_HOUR = timedelta(hours=1)


class Register:
    """Answers each number with its double; a closed gate holds a write, a refusal fails it."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.refused: set[int] = set()

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.groups.append(list(numbers))
        await self.gate.wait()
        if self.refused.intersection(numbers):
            raise StoreUnavailable("storing the numbers")
        return [number * 2 for number in numbers]


def asked(group: Group[int, int], *numbers: int) -> list[asyncio.Task[int]]:
    return [asyncio.create_task(group.ask(number)) for number in numbers]


async def asked_during_a_write(
    group: Group[int, int], register: Register, *numbers: int
) -> list[asyncio.Task[int]]:
    """Ask 1, and *numbers* as soon as 1 is being written; the gate stays closed."""
    register.gate.clear()
    first = asked(group, 1)
    await until(lambda: register.groups == [[1]])
    others = asked(group, *numbers)
    await asyncio.sleep(0)
    return first + others


async def test_a_lone_caller_does_not_wait_for_company() -> None:
    register = Register()
    group = Group(register, linger=AN_HOUR)

    async with running(group.run):
        answers = [await group.ask(number) for number in (1, 2, 3)]

    assert answers == [2, 4, 6]
    assert register.groups == [[1], [2], [3]]


async def test_callers_who_arrive_together_share_a_write() -> None:
    register = Register()
    group = Group(register)

    async with running(group.run):
        answers = await asyncio.gather(*asked(group, 1, 2, 3))

    assert answers == [2, 4, 6]
    assert register.groups == [[1, 2, 3]]


async def test_callers_who_arrive_while_a_write_runs_share_the_next() -> None:
    register = Register()
    group = Group(register)

    async with running(group.run):
        callers = await asked_during_a_write(group, register, 2, 3, 4)
        register.gate.set()
        answers = await asyncio.gather(*callers)

    assert answers == [2, 4, 6, 8]
    assert register.groups == [[1], [2, 3, 4]]


async def test_when_several_came_during_a_write_the_next_one_lingers_for_company() -> None:
    register = Register()
    group = Group(register, linger=timedelta(milliseconds=100))
    others: list[asyncio.Task[int]] = []

    async with running(group.run):
        callers = await asked_during_a_write(group, register, 2, 3)
        asyncio.get_running_loop().call_later(0.01, lambda: others.extend(asked(group, 4)))
        register.gate.set()
        await asyncio.gather(*callers)

    assert register.groups == [[1], [2, 3, 4]]


async def test_a_lone_caller_does_not_wait_however_busy_it_was_before() -> None:
    register = Register()
    group = Group(register, linger=timedelta(seconds=30))

    async with running(group.run):
        await asyncio.gather(*asked(group, 1, 2))
        async with asyncio.timeout(5):
            answer = await group.ask(3)

    assert answer == 6
    assert register.groups == [[1, 2], [3]]


async def test_whoever_waits_when_the_loop_is_cut_off_hears_so() -> None:
    register = Register()
    group = Group(register)

    loop = asyncio.create_task(group.run(asyncio.Event()))
    callers = await asked_during_a_write(group, register, 2)
    loop.cancel()
    answers = await asyncio.gather(*callers, return_exceptions=True)

    assert [type(answer) for answer in answers] == [Stopping, Stopping]
    with pytest.raises(Stopping):
        await group.ask(3)


async def test_a_write_takes_at_most_so_many() -> None:
    register = Register()
    group = Group(register, most=2)

    async with running(group.run):
        answers = await asyncio.gather(*asked(group, 1, 2, 3, 4, 5))

    assert answers == [2, 4, 6, 8, 10]
    assert register.groups == [[1, 2], [3, 4], [5]]


async def test_each_of_a_thousand_callers_gets_its_own_answer() -> None:
    register = Register()
    group = Group(register, most=300)

    async with running(group.run):
        answers = await asyncio.gather(*asked(group, *range(1000)))

    assert answers == list(range(0, 2000, 2))
    assert [len(numbers) for numbers in register.groups] == [300, 300, 300, 100]


async def test_a_caller_cancelled_while_waiting_is_not_written() -> None:
    register = Register()
    group = Group(register)

    async with running(group.run):
        first, second, third = await asked_during_a_write(group, register, 2, 3)
        second.cancel()
        await until(second.done)
        register.gate.set()
        answers = await asyncio.gather(first, third)

    assert [*answers] == [2, 6]
    assert register.groups == [[1], [3]]


async def test_a_caller_cancelled_while_written_takes_nothing_along() -> None:
    register = Register()
    register.gate.clear()
    group = Group(register)

    async with running(group.run):
        first, second, third = asked(group, 1, 2, 3)
        await until(lambda: register.groups)
        second.cancel()
        await until(second.done)
        register.gate.set()
        answers = await asyncio.gather(first, third)

    assert [*answers] == [2, 6]
    assert second.cancelled()
    assert register.groups == [[1, 2, 3]]


async def test_when_every_caller_was_cancelled_nothing_is_written() -> None:
    register = Register()
    group = Group(register)

    async with running(group.run):
        first, *others = await asked_during_a_write(group, register, 2, 3)
        for caller in others:
            caller.cancel()
        await until(lambda: all(caller.done() for caller in others))
        register.gate.set()
        await first
        assert await group.ask(4) == 8

    assert register.groups == [[1], [4]]


async def test_a_failed_write_fails_each_caller_of_its_group_and_nobody_else() -> None:
    register = Register()
    register.refused = {2}
    group = Group(register)

    async with running(group.run):
        callers = await asked_during_a_write(group, register, 2, 3)
        register.gate.set()
        first, second, third = await asyncio.gather(*callers, return_exceptions=True)
        later = await group.ask(4)

    assert (first, later) == (2, 8)
    assert isinstance(second, StoreUnavailable)
    assert isinstance(third, StoreUnavailable)


async def test_a_failed_write_does_not_disturb_a_caller_who_left() -> None:
    register = Register()
    register.refused = {1}
    register.gate.clear()
    group = Group(register)

    async with running(group.run):
        first, second = asked(group, 1, 2)
        await until(lambda: register.groups)
        first.cancel()
        await until(first.done)
        register.gate.set()
        with pytest.raises(StoreUnavailable):
            await second

    assert first.cancelled()


async def test_who_finds_too_many_waiting_is_told_how_many() -> None:
    register = Register()
    group = Group(register, waiting=3)

    async with running(group.run):
        callers = await asked_during_a_write(group, register, 2, 3)
        with pytest.raises(Overloaded, match=r"^3 requests are waiting already"):
            await group.ask(4)
        register.gate.set()
        answers = await asyncio.gather(*callers)
        later = await group.ask(5)

    assert answers == [2, 4, 6]
    assert later == 10


async def test_those_in_the_write_under_way_count_and_who_leaves_makes_room() -> None:
    register = Register()
    group = Group(register, waiting=3)

    async with running(group.run):
        first, second, third = await asked_during_a_write(group, register, 2, 3)
        with pytest.raises(Overloaded):
            group.check_room()
        third.cancel()
        await asyncio.wait({third})
        (fourth,) = asked(group, 4)
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await group.ask(5)
        register.gate.set()
        answers = await asyncio.gather(first, second, fourth)
        group.check_room()

    assert list(answers) == [2, 4, 8]
    assert register.groups == [[1], [2, 4]]


async def test_a_stop_finishes_who_waits() -> None:
    register = Register()
    group = Group(register, most=2)

    async with running(group.run) as stop:
        callers = await asked_during_a_write(group, register, 2, 3, 4)
        stop.set()
        register.gate.set()
        answers = await asyncio.gather(*callers)

    assert answers == [2, 4, 6, 8]
    assert register.groups == [[1], [2, 3], [4]]


async def test_who_asked_before_the_start_is_answered_even_when_the_stop_came_first() -> None:
    group = Group(Register())
    callers = asked(group, 1)
    await asyncio.sleep(0)
    stop = asyncio.Event()
    stop.set()

    await group.run(stop)

    assert await asyncio.gather(*callers) == [2]


async def test_a_stop_with_nobody_waiting_writes_nothing() -> None:
    register = Register()

    async with running(Group(register).run):
        pass

    assert register.groups == []


async def test_who_waits_and_how_many_share_a_write_can_be_seen() -> None:
    register, sizes = Register(), list[int]()
    group = Group(register, on_batch=sizes.append)

    async with running(group.run):
        callers = await asked_during_a_write(group, register, 2, 3)
        assert group.waiting == 2
        register.gate.set()
        await asyncio.gather(*callers)

    assert (sizes, group.waiting) == ([1, 2], 0)


async def test_who_asks_for_many_has_them_in_one_write_and_the_answers_in_order() -> None:
    register = Register()
    group = Group(register)

    async with running(group.run):
        many, [single] = await asyncio.gather(
            group.ask_all([3, 1, 2]), asyncio.gather(*asked(group, 4))
        )
        nothing = await group.ask_all([])

    assert (many, single, nothing) == ([6, 2, 4], 8, [])
    assert register.groups == [[4, 3, 1, 2]]


async def test_more_than_one_write_takes_are_answered_all_the_same() -> None:
    register = Register()
    group = Group(register, most=2)

    async with running(group.run):
        answers = await group.ask_all([1, 2, 3, 4, 5])

    assert answers == [2, 4, 6, 8, 10]
    assert register.groups == [[1, 2], [3, 4], [5]]


async def test_of_many_those_whose_write_failed_have_an_error_for_an_answer() -> None:
    register = Register()
    register.refused = {3}
    group = Group(register, most=2)

    async with running(group.run):
        answers = await group.ask_all([1, 2, 3, 4, 5])

    assert (answers[:2], answers[4:]) == ([2, 4], [10])
    assert [type(answer) for answer in answers[2:4]] == [StoreUnavailable] * 2


async def test_each_of_many_counts_as_one_who_waits() -> None:
    register = Register()
    group = Group(register, waiting=3)

    async with running(group.run):
        callers = await asked_during_a_write(group, register)
        with pytest.raises(Overloaded):
            await group.ask_all([2, 3, 4])
        two = asyncio.create_task(group.ask_all([2, 3]))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await group.ask(4)
        register.gate.set()
        await asyncio.gather(two, *callers)
        after = await group.ask_all([5, 6, 7])

    assert after == [10, 12, 14]


async def test_who_asked_for_many_and_gave_up_makes_room_and_spoils_nothing() -> None:
    register = Register()
    group = Group(register, waiting=3)

    async with running(group.run):
        callers = await asked_during_a_write(group, register)
        many = asyncio.create_task(group.ask_all([2, 3]))
        await asyncio.sleep(0)
        many.cancel()
        await asyncio.wait({many})
        others = asked(group, 4, 5)
        register.gate.set()
        answers = await asyncio.gather(*callers, *others)

    assert many.cancelled()
    assert answers == [2, 8, 10]
    assert register.groups == [[1], [4, 5]]


async def test_who_asks_for_many_when_it_is_over_hears_so() -> None:
    group = Group(Register())
    async with running(group.run):
        pass

    with pytest.raises(Stopping):
        await group.ask_all([1, 2])


async def test_more_than_all_places_are_let_in_when_nobody_else_waits() -> None:
    """As a batch that is larger than the operator's limit: refused, it never would be."""
    register = Register()
    group = Group(register, waiting=3)

    async with running(group.run):
        answers = await group.ask_all([1, 2, 3, 4])

    assert answers == [2, 4, 6, 8]
