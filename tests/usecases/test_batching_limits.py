"""Who waits in a group: how many are let in, those who ask for many, and the end."""

import asyncio

import pytest

from gcsched.errors import Overloaded, Stopping, StoreUnavailable
from gcsched.usecases.batching import GroupCommit
from tests.support.background import in_background
from tests.support.batches import DoublingWriter, submit_during_write, submit_each


async def test_who_finds_too_many_waiting_is_told_how_many() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write, max_waiting=3)

    async with in_background(group.run):
        callers = await submit_during_write(group, writer, 2, 3)
        with pytest.raises(Overloaded, match=r"^3 requests are waiting already"):
            await group.submit(4)
        writer.gate.set()
        answers = await asyncio.gather(*callers)
        later = await group.submit(5)

    assert answers == [2, 4, 6]
    assert later == 10


async def test_those_in_the_write_under_way_count_and_who_leaves_makes_room() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write, max_waiting=3)

    async with in_background(group.run):
        first, second, third = await submit_during_write(group, writer, 2, 3)
        with pytest.raises(Overloaded):
            group.check_room()
        third.cancel()
        await asyncio.wait({third})
        (fourth,) = submit_each(group, 4)
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await group.submit(5)
        writer.gate.set()
        answers = await asyncio.gather(first, second, fourth)
        group.check_room()

    assert list(answers) == [2, 4, 8]
    assert writer.groups == [[1], [2, 4]]


async def test_a_stop_finishes_who_waits() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write, max_batch_size=2)

    async with in_background(group.run) as stop:
        callers = await submit_during_write(group, writer, 2, 3, 4)
        stop.set()
        writer.gate.set()
        answers = await asyncio.gather(*callers)

    assert answers == [2, 4, 6, 8]
    assert writer.groups == [[1], [2, 3], [4]]


async def test_who_asked_before_the_start_is_answered_even_when_the_stop_came_first() -> None:
    group = GroupCommit(DoublingWriter().write)
    callers = submit_each(group, 1)
    await asyncio.sleep(0)
    stop = asyncio.Event()
    stop.set()

    await group.run(stop)

    assert await asyncio.gather(*callers) == [2]


async def test_a_stop_with_nobody_waiting_writes_nothing() -> None:
    writer = DoublingWriter()

    async with in_background(GroupCommit(writer.write).run):
        pass

    assert writer.groups == []


async def test_who_waits_and_how_many_share_a_write_can_be_seen() -> None:
    writer, sizes = DoublingWriter(), list[int]()
    group = GroupCommit(writer.write, on_batch=sizes.append)

    async with in_background(group.run):
        callers = await submit_during_write(group, writer, 2, 3)
        assert group.waiting == 2
        writer.gate.set()
        await asyncio.gather(*callers)

    assert (sizes, group.waiting) == ([1, 2], 0)


async def test_who_asks_for_many_has_them_in_one_write_and_the_answers_in_order() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write)

    async with in_background(group.run):
        many, [single] = await asyncio.gather(
            group.submit_all([3, 1, 2]), asyncio.gather(*submit_each(group, 4))
        )
        nothing = await group.submit_all([])

    assert (many, single, nothing) == ([6, 2, 4], 8, [])
    assert writer.groups == [[4, 3, 1, 2]]


async def test_more_than_one_write_takes_are_answered_all_the_same() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write, max_batch_size=2)

    async with in_background(group.run):
        answers = await group.submit_all([1, 2, 3, 4, 5])

    assert answers == [2, 4, 6, 8, 10]
    assert writer.groups == [[1, 2], [3, 4], [5]]


async def test_of_many_those_whose_write_failed_have_an_error_for_an_answer() -> None:
    writer = DoublingWriter()
    writer.failing = {3}
    group = GroupCommit(writer.write, max_batch_size=2)

    async with in_background(group.run):
        answers = await group.submit_all([1, 2, 3, 4, 5])

    assert (answers[:2], answers[4:]) == ([2, 4], [10])
    assert [type(answer) for answer in answers[2:4]] == [StoreUnavailable] * 2


async def test_each_of_many_counts_as_one_who_waits() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write, max_waiting=3)

    async with in_background(group.run):
        callers = await submit_during_write(group, writer)
        with pytest.raises(Overloaded):
            await group.submit_all([2, 3, 4])
        two = asyncio.create_task(group.submit_all([2, 3]))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await group.submit(4)
        writer.gate.set()
        await asyncio.gather(two, *callers)
        after = await group.submit_all([5, 6, 7])

    assert after == [10, 12, 14]


async def test_who_asked_for_many_and_gave_up_makes_room_and_spoils_nothing() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write, max_waiting=3)

    async with in_background(group.run):
        callers = await submit_during_write(group, writer)
        many = asyncio.create_task(group.submit_all([2, 3]))
        await asyncio.sleep(0)
        many.cancel()
        await asyncio.wait({many})
        others = submit_each(group, 4, 5)
        writer.gate.set()
        answers = await asyncio.gather(*callers, *others)

    assert many.cancelled()
    assert answers == [2, 8, 10]
    assert writer.groups == [[1], [4, 5]]


async def test_who_asks_for_many_when_it_is_over_hears_so() -> None:
    group = GroupCommit(DoublingWriter().write)
    async with in_background(group.run):
        pass

    with pytest.raises(Stopping):
        await group.submit_all([1, 2])


async def test_more_than_all_places_are_let_in_when_nobody_else_waits() -> None:
    """As a batch that is larger than the operator's limit: refused, it never would be."""
    writer = DoublingWriter()
    group = GroupCommit(writer.write, max_waiting=3)

    async with in_background(group.run):
        answers = await group.submit_all([1, 2, 3, 4])

    assert answers == [2, 4, 6, 8]
