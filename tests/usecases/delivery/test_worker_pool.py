"""A worker that ends by a defect ends the pool, though the others swallow a cancellation."""

import asyncio
from contextlib import nullcontext, suppress
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from gcsched.domain.job import State
from gcsched.usecases.delivery.deliver import ClaimedJob
from gcsched.usecases.delivery.worker_pool import WorkerPool
from gcsched.usecases.delivery.worker_scaler import WorkerScaler
from gcsched.usecases.loops import run_periodically
from tests.support.wait import until


class BrokenQueues:
    """Queues in which the first worker fails and the others swallow the first cancellation."""

    def __init__(self, error: BaseException) -> None:
        self.waiting = 0
        self.fail = asyncio.Event()
        self._error = error

    async def get(self) -> ClaimedJob:
        self.waiting += 1
        if self.waiting == 1:
            await self.fail.wait()
            raise self._error
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()
        raise AssertionError

    def drain(self) -> list[ClaimedJob]:
        return []


class FilledQueues:
    """Queues with *count* jobs; later workers wait."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.waiting = 0

    async def get(self) -> Any:
        if self.left:
            self.left -= 1
            return SimpleNamespace(begun=None)
        self.waiting += 1
        return await asyncio.Event().wait()

    def done(self, claimed: ClaimedJob) -> None:
        pass

    def drain(self) -> list[ClaimedJob]:
        return []


@pytest.mark.parametrize(
    ("error", "raised"),
    [(ZeroDivisionError(), ZeroDivisionError), (asyncio.CancelledError(), RuntimeError)],
)
async def test_a_worker_that_ends_by_itself_ends_all_in_time(
    error: BaseException, raised: type[Exception]
) -> None:
    queues = BrokenQueues(error)
    unused: Any = None
    broken: Any = queues
    three = WorkerScaler(size=3)
    workers = WorkerPool(
        deliver=unused, recorder=unused, sent_markers=unused, queues=broken, scaler=three
    )
    running = asyncio.create_task(workers.run(asyncio.Event(), grace=timedelta(minutes=1)))
    await until(lambda: queues.waiting == 3)

    queues.fail.set()

    with pytest.raises(raised):
        await asyncio.wait_for(running, 5)


async def test_of_workers_that_conclude_in_one_turn_only_the_surplus_leaves() -> None:
    release, stop, begun = asyncio.Event(), asyncio.Event(), list[Any]()
    unused: Any = SimpleNamespace(record=lambda _: None)
    queues: Any = FilledQueues(4)

    async def deliver(claimed: ClaimedJob) -> Any:
        begun.append(claimed)
        await release.wait()
        return SimpleNamespace(job=SimpleNamespace(state=State.FAILED))

    delivering: Any = SimpleNamespace(deliver=deliver)
    scaler = WorkerScaler(size=4)
    workers = WorkerPool(
        deliver=delivering, recorder=unused, sent_markers=unused, queues=queues, scaler=scaler
    )
    running = asyncio.create_task(workers.run(stop, grace=timedelta(0)))
    await until(lambda: len(begun) == 4)

    scaler.size = 3
    release.set()

    await until(lambda: queues.waiting == 3)
    stop.set()
    await asyncio.wait_for(running, 5)
    assert queues.waiting == 3


async def test_a_periodic_call_stops_though_it_swallows_a_cancellation() -> None:
    started, stop = asyncio.Event(), asyncio.Event()

    async def act() -> None:
        is_first = not started.is_set()
        started.set()
        with suppress(asyncio.CancelledError) if is_first else nullcontext():
            await asyncio.Event().wait()

    running = asyncio.create_task(run_periodically(act, every=timedelta(0), stop=stop))
    await started.wait()

    stop.set()

    await asyncio.wait_for(running, 5)
