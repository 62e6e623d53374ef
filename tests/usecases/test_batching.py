import asyncio
from datetime import timedelta

import pytest

from gcsched.errors import Stopping, StoreUnavailable
from gcsched.usecases.batching import GroupCommit
from tests.support.background import in_background
from tests.support.batches import DoublingWriter, submit_during_write, submit_each
from tests.support.wait import until

AN_HOUR = timedelta(hours=1)


async def test_a_single_caller_does_not_wait_for_others() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write, linger=AN_HOUR)

    async with in_background(group.run):
        answers = [await group.submit(number) for number in (1, 2, 3)]

    assert answers == [2, 4, 6]
    assert writer.groups == [[1], [2], [3]]


async def test_callers_that_arrive_together_share_a_write() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write)

    async with in_background(group.run):
        answers = await asyncio.gather(*submit_each(group, 1, 2, 3))

    assert answers == [2, 4, 6]
    assert writer.groups == [[1, 2, 3]]


async def test_callers_that_arrive_during_a_write_share_the_next() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write)

    async with in_background(group.run):
        callers = await submit_during_write(group, writer, 2, 3, 4)
        writer.gate.set()
        answers = await asyncio.gather(*callers)

    assert answers == [2, 4, 6, 8]
    assert writer.groups == [[1], [2, 3, 4]]


async def test_after_several_callers_during_a_write_the_next_write_lingers() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write, linger=timedelta(milliseconds=100))
    others: list[asyncio.Task[int]] = []

    async with in_background(group.run):
        callers = await submit_during_write(group, writer, 2, 3)
        asyncio.get_running_loop().call_later(0.01, lambda: others.extend(submit_each(group, 4)))
        writer.gate.set()
        await asyncio.gather(*callers)

    assert writer.groups == [[1], [2, 3, 4]]


async def test_a_write_lingers_on_while_enough_callers_keep_coming() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write, linger=timedelta(milliseconds=400))
    others: list[asyncio.Task[int]] = []

    async with in_background(group.run):
        callers = await submit_during_write(group, writer, 2, 3)
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, lambda: others.extend(submit_each(group, *range(4, 8))))
        loop.call_later(0.45, lambda: others.extend(submit_each(group, 8)))  # too few to go on for
        writer.gate.set()
        await asyncio.gather(*callers)

    assert writer.groups == [[1], [2, 3, 4, 5, 6, 7, 8]]


async def test_where_many_wait_a_write_lingers_on_after_one_pause() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write, linger=timedelta(milliseconds=400))
    others: list[asyncio.Task[int]] = []

    async with in_background(group.run):
        callers = await submit_during_write(group, writer, *range(2, 18))
        loop = asyncio.get_running_loop()
        loop.call_later(0.5, lambda: others.extend(submit_each(group, 18)))
        writer.gate.set()
        await asyncio.gather(*callers)

    assert writer.groups == [[1], [*range(2, 19)]]


async def test_callers_that_never_stop_coming_do_not_delay_a_write_for_ever() -> None:
    writer = DoublingWriter()
    group = GroupCommit(
        writer.write,
        linger=timedelta(milliseconds=5),
        max_waiting=10**9,
        max_batch_size=10**9,
    )
    others: list[asyncio.Task[int]] = []

    async def keep_coming() -> None:
        while len(writer.groups) < 3:
            others.extend(submit_each(group, *range(8)))
            await asyncio.sleep(0.001)

    async with in_background(group.run), asyncio.timeout(20):
        callers = await submit_during_write(group, writer, 2, 3)
        writer.gate.set()
        await keep_coming()
        await asyncio.gather(*callers, *others)

    assert writer.groups[1][:2] == [2, 3]
    assert len(writer.groups[1]) < 2_000  # without a limit it took some 12,000


async def test_a_single_caller_does_not_wait_after_a_busy_time() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write, linger=timedelta(seconds=30))

    async with in_background(group.run):
        await asyncio.gather(*submit_each(group, 1, 2))
        async with asyncio.timeout(5):
            answer = await group.submit(3)

    assert answer == 6
    assert writer.groups == [[1, 2], [3]]


async def test_callers_that_wait_when_the_loop_is_cancelled_get_stopping() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write)

    loop = asyncio.create_task(group.run(asyncio.Event()))
    callers = await submit_during_write(group, writer, 2)
    loop.cancel()
    answers = await asyncio.gather(*callers, return_exceptions=True)

    assert [type(answer) for answer in answers] == [Stopping, Stopping]
    with pytest.raises(Stopping):
        await group.submit(3)


async def test_a_write_takes_at_most_its_batch_size() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write, max_batch_size=2)

    async with in_background(group.run):
        answers = await asyncio.gather(*submit_each(group, 1, 2, 3, 4, 5))

    assert answers == [2, 4, 6, 8, 10]
    assert writer.groups == [[1, 2], [3, 4], [5]]


async def test_each_of_a_thousand_callers_gets_its_own_answer() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write, max_batch_size=300)

    async with in_background(group.run):
        answers = await asyncio.gather(*submit_each(group, *range(1000)))

    assert answers == list(range(0, 2000, 2))
    assert [len(numbers) for numbers in writer.groups] == [300, 300, 300, 100]


async def test_a_caller_cancelled_while_waiting_is_not_written() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write)

    async with in_background(group.run):
        first, second, third = await submit_during_write(group, writer, 2, 3)
        second.cancel()
        await until(second.done)
        writer.gate.set()
        answers = await asyncio.gather(first, third)

    assert [*answers] == [2, 6]
    assert writer.groups == [[1], [3]]


async def test_cancelling_a_caller_during_its_write_harms_no_other() -> None:
    writer = DoublingWriter()
    writer.gate.clear()
    group = GroupCommit(writer.write)

    async with in_background(group.run):
        first, second, third = submit_each(group, 1, 2, 3)
        await until(lambda: writer.groups)
        second.cancel()
        await until(second.done)
        writer.gate.set()
        answers = await asyncio.gather(first, third)

    assert [*answers] == [2, 6]
    assert second.cancelled()
    assert writer.groups == [[1, 2, 3]]


async def test_when_every_caller_was_cancelled_nothing_is_written() -> None:
    writer = DoublingWriter()
    group = GroupCommit(writer.write)

    async with in_background(group.run):
        first, *others = await submit_during_write(group, writer, 2, 3)
        for caller in others:
            caller.cancel()
        await until(lambda: all(caller.done() for caller in others))
        writer.gate.set()
        await first
        assert await group.submit(4) == 8

    assert writer.groups == [[1], [4]]


async def test_a_failed_write_fails_each_caller_of_its_group_and_no_other() -> None:
    writer = DoublingWriter()
    writer.failing = {2}
    group = GroupCommit(writer.write)

    async with in_background(group.run):
        callers = await submit_during_write(group, writer, 2, 3)
        writer.gate.set()
        first, second, third = await asyncio.gather(*callers, return_exceptions=True)
        later = await group.submit(4)

    assert (first, later) == (2, 8)
    assert isinstance(second, StoreUnavailable)
    assert isinstance(third, StoreUnavailable)


async def test_a_failed_write_does_not_affect_a_cancelled_caller() -> None:
    writer = DoublingWriter()
    writer.failing = {1}
    writer.gate.clear()
    group = GroupCommit(writer.write)

    async with in_background(group.run):
        first, second = submit_each(group, 1, 2)
        await until(lambda: writer.groups)
        first.cancel()
        await until(first.done)
        writer.gate.set()
        with pytest.raises(StoreUnavailable):
            await second

    assert first.cancelled()
