import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

import pytest

from gcsched.usecases.loops import flush_until, run_until, sleep_unless

NEVER_SECONDS = 3_600.0


class Collector:
    """Collect items, and flush them all at once; a flush lasts until it *may_end*."""

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
    """Run everything that is ready to."""
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
def box() -> Collector:
    return Collector()


async def test_a_pause_ends_with_its_time(stop: asyncio.Event) -> None:
    async with asyncio.timeout(5):
        await sleep_unless(stop, 0.001)


async def test_a_pause_ends_as_soon_as_it_is_to_stop(stop: asyncio.Event) -> None:
    async with start(sleep_unless(stop, NEVER_SECONDS)) as pause:
        assert not pause.done()

        stop.set()


async def test_a_pause_hears_a_cancel_that_comes_as_it_ends(stop: asyncio.Event) -> None:
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


async def test_it_flushes_when_asked_and_not_before(stop: asyncio.Event, box: Collector) -> None:
    async with start(flush_until(stop, box.flush, requested=box.requested)):
        assert box.flushed == []
        box.put("one")
        await run_ready()
        box.put("two")
        await run_ready()

        assert box.flushed == [["one"], ["two"]]
        stop.set()


async def test_what_comes_during_a_flush_has_the_next_one(
    stop: asyncio.Event, box: Collector
) -> None:
    async with start(flush_until(stop, box.flush, requested=box.requested)):
        box.may_end.clear()
        box.put("one")
        await run_ready()
        box.put("two")
        box.may_end.set()
        await run_ready()

        assert box.flushed == [["one"], ["two"]]
        stop.set()


async def test_an_idle_loop_flushes_once_more_at_the_stop(
    stop: asyncio.Event, box: Collector
) -> None:
    async with start(flush_until(stop, box.flush, requested=box.requested)):
        stop.set()

    assert box.flushed == [[]]


@pytest.mark.parametrize(
    ("is_drained", "flushed"), [(True, [["one"], ["two"]]), (False, [["one"]])]
)
async def test_what_is_left_at_the_stop_is_flushed_only_where_it_counts(
    stop: asyncio.Event, box: Collector, *, is_drained: bool, flushed: list[list[str]]
) -> None:
    def is_left() -> bool:
        return is_drained and bool(box.items)

    async with start(flush_until(stop, box.flush, requested=box.requested, is_left=is_left)):
        box.may_end.clear()
        box.put("one")
        await run_ready()
        box.put("two")
        stop.set()
        await run_ready()
        box.may_end.set()

    assert box.flushed == flushed


async def test_a_flush_that_fails_ends_the_loop(stop: asyncio.Event, box: Collector) -> None:
    async def fail() -> None:
        raise OSError("disk full")

    async with start(flush_until(stop, fail, requested=box.requested)) as running:
        box.put("one")

    with pytest.raises(ExceptionGroup, match="unhandled") as failure:
        running.result()
    assert failure.group_contains(OSError, match="disk full")
