"""Items that wait in a group: how many are accepted, many of one caller, and the stop."""

import asyncio

import pytest

from gcsched.errors import Overloaded, Stopping, StoreUnavailable
from gcsched.usecases.batching import GroupCommit
from tests.support.background import in_background
from tests.support.batches import DoublingWriter, submit_during_write, submit_each


async def test_an_overloaded_group_reports_how_many_are_waiting() -> None:
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


async def test_items_being_written_count_and_a_cancelled_caller_makes_room() -> None:
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


async def test_a_stop_writes_the_items_that_wait() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write, max_batch_size=2)

    async with in_background(group.run) as stop:
        callers = await submit_during_write(group, writer, 2, 3, 4)
        stop.set()
        writer.gate.set()
        answers = await asyncio.gather(*callers)

    assert answers == [2, 4, 6, 8]
    assert writer.groups == [[1], [2, 3], [4]]


async def test_an_item_submitted_before_the_start_is_written_even_after_the_stop() -> None:
    group = GroupCommit(DoublingWriter().write)
    callers = submit_each(group, 1)
    await asyncio.sleep(0)
    stop = asyncio.Event()
    stop.set()

    await group.run(stop)

    assert await asyncio.gather(*callers) == [2]


async def test_a_stop_with_no_items_writes_nothing() -> None:
    writer = DoublingWriter()

    async with in_background(GroupCommit(writer.write).run):
        pass

    assert writer.groups == []


async def test_the_numbers_of_waiting_and_written_items_are_visible() -> None:
    writer, sizes = DoublingWriter(), list[int]()
    group = GroupCommit(writer.write, on_batch=sizes.append)

    async with in_background(group.run):
        callers = await submit_during_write(group, writer, 2, 3)
        assert group.waiting == 2
        writer.gate.set()
        await asyncio.gather(*callers)

    assert (sizes, group.waiting) == ([1, 2], 0)


async def test_many_items_of_one_caller_share_a_write_and_keep_their_order() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write)

    async with in_background(group.run):
        many, [single] = await asyncio.gather(
            group.submit_all([3, 1, 2]), asyncio.gather(*submit_each(group, 4))
        )
        nothing = await group.submit_all([])

    assert (many, single, nothing) == ([6, 2, 4], 8, [])
    assert writer.groups == [[4, 3, 1, 2]]


async def test_more_items_than_one_write_takes_are_all_answered() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write, max_batch_size=2)

    async with in_background(group.run):
        answers = await group.submit_all([1, 2, 3, 4, 5])

    assert answers == [2, 4, 6, 8, 10]
    assert writer.groups == [[1, 2], [3, 4], [5]]


async def test_each_item_of_a_failed_write_gets_its_error() -> None:
    writer = DoublingWriter()
    writer.failing = {3}
    group = GroupCommit(writer.write, max_batch_size=2)

    async with in_background(group.run):
        answers = await group.submit_all([1, 2, 3, 4, 5])

    assert (answers[:2], answers[4:]) == ([2, 4], [10])
    assert [type(answer) for answer in answers[2:4]] == [StoreUnavailable] * 2


async def test_each_of_many_items_counts_as_waiting() -> None:
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


async def test_a_cancelled_caller_of_many_makes_room_and_harms_no_other() -> None:
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


async def test_many_items_after_the_stop_raise_stopping() -> None:
    group = GroupCommit(DoublingWriter().write)
    async with in_background(group.run):
        pass

    with pytest.raises(Stopping):
        await group.submit_all([1, 2])


async def test_more_items_than_the_limit_are_accepted_when_nothing_is_pending() -> None:
    """As for a batch larger than the operator's limit, which would never be accepted otherwise."""
    writer = DoublingWriter()
    group = GroupCommit(writer.write, max_waiting=3)

    async with in_background(group.run):
        answers = await group.submit_all([1, 2, 3, 4])

    assert answers == [2, 4, 6, 8]
