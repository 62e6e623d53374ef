import asyncio
import gc
from contextlib import suppress
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from gcsched.errors import StoreUnavailable
from gcsched.usecases.loops import cancel_until_done, finish, retrieve_exception

LONG = timedelta(seconds=10)


def read_asyncio_log(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what asyncio logged about tasks and futures that are not referenced any more."""
    gc.collect()
    return [each.getMessage() for each in caplog.records if each.name == "asyncio"]


async def cancel_while_failing(error: Exception) -> None:
    gate = asyncio.Event()

    async def work() -> None:
        await gate.wait()
        raise error

    task = asyncio.create_task(finish(work(), within=LONG))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_work_is_finished_before_the_cancellation_of_its_caller() -> None:
    gate, done = asyncio.Event(), []

    async def work() -> None:
        await gate.wait()
        done.append("written")

    task = asyncio.create_task(finish(work(), within=LONG))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    gate.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["written"]


async def test_results_and_errors_pass_through() -> None:
    async def five() -> int:
        return 5

    async def fail() -> int:
        raise ValueError("five")

    assert await finish(five(), within=LONG) == 5
    with pytest.raises(ValueError, match="five"):
        await finish(fail(), within=LONG)


async def test_work_that_takes_too_long_is_cancelled() -> None:
    cancelled = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    with pytest.raises(TimeoutError):
        await finish(endless(), within=timedelta(seconds=0.01))
    assert cancelled == [True]


async def test_a_task_that_swallows_cancellations_is_cancelled_until_it_ends() -> None:
    received = 0

    async def swallow_two_cancellations() -> None:
        nonlocal received
        while received < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                received += 1

    task = asyncio.create_task(swallow_two_cancellations())
    await asyncio.sleep(0)

    assert await cancel_until_done({task}, within=LONG)
    assert received == 3


async def test_a_task_that_never_ends_is_waited_for_within_the_limit() -> None:
    is_over = False

    async def swallow_cancellations() -> None:
        while not is_over:
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    task = asyncio.create_task(swallow_cancellations())
    await asyncio.sleep(0)

    assert not await cancel_until_done({task}, within=timedelta(seconds=0.2))
    is_over = True
    assert await cancel_until_done({task}, within=LONG)


async def test_there_may_be_nothing_to_cancel() -> None:
    assert await cancel_until_done(())


async def test_a_store_failure_after_a_cancellation_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with capture_logs() as logs:
        await cancel_while_failing(StoreUnavailable("claiming"))

    assert read_asyncio_log(caplog) == []
    assert logs == []


async def test_a_defect_after_a_cancellation_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with capture_logs() as logs:
        await cancel_while_failing(LookupError("made up"))

    (line,) = logs
    assert line["event"] == "task failed after cancellation"
    assert isinstance(line["exc_info"], LookupError)
    assert read_asyncio_log(caplog) == []


async def test_an_exception_can_be_retrieved_before_or_after_the_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    future = asyncio.get_running_loop().create_future()
    retrieve_exception(future)
    assert not future.done()

    future.set_exception(LookupError())
    retrieve_exception(future)
    del future

    assert read_asyncio_log(caplog) == []
