import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

import pytest

from gcsched.usecases.loops import flush_until, run_until, sleep_unless

NEVER_SECONDS = 3_600.0


class Collector:
    """Collects items and flushes all of them at once; a flush lasts until *may_end* is set."""

    def __init__(self) -> None:
        self.items: list[str] = []
        self.flushed: list[list[str]] = []
        self.requested = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()

    def put(self, item: str) -> None:
        self.items.append(item)
        self.requested.set()

    async def flush(self) -> None:
        items, self.items = self.items, []
        self.flushed.append(items)
        await self.may_end.wait()


async def run_ready() -> None:
    """Run all tasks that are ready."""
    for _ in range(10):
        await asyncio.sleep(0)


@asynccontextmanager
async def start(work: Coroutine[None, None, None]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(work)
    await run_ready()
    try:
        yield task
        async with asyncio.timeout(5):
            await asyncio.wait({task})
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
def stop() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
def collector() -> Collector:
    return Collector()


async def test_a_pause_ends_with_its_time(stop: asyncio.Event) -> None:
    async with asyncio.timeout(5):
        await sleep_unless(stop, 0.001)


async def test_a_pause_ends_as_soon_as_the_stop_is_set(stop: asyncio.Event) -> None:
    async with start(sleep_unless(stop, NEVER_SECONDS)) as pause:
        assert not pause.done()

        stop.set()


async def test_a_pause_does_not_swallow_a_cancellation_as_it_ends(stop: asyncio.Event) -> None:
    # asyncio.wait_for of Python 3.11 returns here as if the task had not been cancelled.
    async with start(sleep_unless(stop, NEVER_SECONDS)) as pause:
        stop.set()
        pause.cancel()

    assert pause.cancelled()


async def test_endless_work_is_cancelled_at_the_stop(stop: asyncio.Event) -> None:
    async with start(run_until(stop, asyncio.sleep(NEVER_SECONDS), name="asleep")) as running:
        assert not running.done()

        stop.set()

    assert running.exception() is None


async def test_it_flushes_on_request_and_not_before(
    stop: asyncio.Event, collector: Collector
) -> None:
    async with start(flush_until(stop, collector.flush, requested=collector.requested)):
        assert collector.flushed == []
        collector.put("one")
        await run_ready()
        collector.put("two")
        await run_ready()

        assert collector.flushed == [["one"], ["two"]]
        stop.set()


async def test_an_item_that_arrives_during_a_flush_is_in_the_next_one(
    stop: asyncio.Event, collector: Collector
) -> None:
    async with start(flush_until(stop, collector.flush, requested=collector.requested)):
        collector.may_end.clear()
        collector.put("one")
        await run_ready()
        collector.put("two")
        collector.may_end.set()
        await run_ready()

        assert collector.flushed == [["one"], ["two"]]
        stop.set()


async def test_an_idle_loop_flushes_once_more_at_the_stop(
    stop: asyncio.Event, collector: Collector
) -> None:
    async with start(flush_until(stop, collector.flush, requested=collector.requested)):
        stop.set()

    assert collector.flushed == [[]]


@pytest.mark.parametrize(
    ("is_drained", "flushed"), [(True, [["one"], ["two"]]), (False, [["one"]])]
)
async def test_items_left_at_the_stop_are_flushed_only_if_is_left_says_so(
    stop: asyncio.Event, collector: Collector, *, is_drained: bool, flushed: list[list[str]]
) -> None:
    def is_left() -> bool:
        return is_drained and bool(collector.items)

    async with start(
        flush_until(stop, collector.flush, requested=collector.requested, is_left=is_left)
    ):
        collector.may_end.clear()
        collector.put("one")
        await run_ready()
        collector.put("two")
        stop.set()
        await run_ready()
        collector.may_end.set()

    assert collector.flushed == flushed


async def test_a_flush_that_fails_ends_the_loop(stop: asyncio.Event, collector: Collector) -> None:
    async def fail() -> None:
        raise OSError("disk full")

    async with start(flush_until(stop, fail, requested=collector.requested)) as running:
        collector.put("one")

    with pytest.raises(ExceptionGroup, match="unhandled") as failure:
        running.result()
    assert failure.group_contains(OSError, match="disk full")
