"""A task that ends by itself is a failure of the service; a requested stop is not."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from gcsched.errors import BackgroundTaskEnded
from gcsched.wiring.background import BackgroundTasks, Loop
from tests.support.wait import until

SOON = timedelta(seconds=0.1)


async def stop_on_request(stop: asyncio.Event) -> None:
    await stop.wait()


async def raise_error(_: asyncio.Event) -> None:
    raise ValueError("defect")


async def return_at_once(_: asyncio.Event) -> None:
    pass


async def raise_from_a_group(_: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(raise_error(asyncio.Event()))


async def cancel_itself(_: asyncio.Event) -> None:
    raise asyncio.CancelledError


async def swallow_first_cancellation(_: asyncio.Event) -> None:
    """Swallow the first cancellation, as asyncio.wait_for may up to Python 3.11."""
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    await asyncio.Event().wait()


async def test_a_requested_stop_is_not_a_failure() -> None:
    tasks = BackgroundTasks()
    tasks.start("first", stop_on_request)
    tasks.start("second", stop_on_request)
    assert tasks.states == {"first": "running", "second": "running"}

    await tasks.stop(within=SOON)

    assert tasks.states == {"first": "stopped", "second": "stopped"}
    assert tasks.failure is None


@pytest.mark.parametrize(
    ("loop", "how"),
    [
        (raise_error, "ended: ValueError"),
        (raise_from_a_group, "ended: ValueError"),
        (return_at_once, "ended: it returned"),
        (cancel_itself, "ended: it was cancelled"),
    ],
)
async def test_a_task_that_ends_by_itself_is_reported_at_once_and_once(
    loop: Loop, how: str
) -> None:
    failures: list[BackgroundTaskEnded] = []
    tasks = BackgroundTasks(failures.append)
    tasks.start("good", stop_on_request)

    tasks.start("bad", loop)
    await until(lambda: failures)
    tasks.start("also bad", return_at_once)
    await until(lambda: tasks.states["also bad"] != "running")
    await tasks.stop(within=SOON)

    assert [(each.task, each.how) for each in failures] == [("bad", how)]
    assert tasks.failure is failures[0]
    assert tasks.states == {"good": "stopped", "bad": how, "also bad": "ended: it returned"}
    assert all(isinstance(each, BackgroundTaskEnded) for each in failures)
    assert isinstance(failures[0].__cause__, ValueError) == (loop is raise_error)


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    tasks = BackgroundTasks()
    tasks.start("stubborn", swallow_first_cancellation)
    await asyncio.sleep(0)

    async with asyncio.timeout(5):
        await tasks.stop(within=SOON)

    assert tasks.states["stubborn"] == "stopped"
    assert tasks.failure is None


async def test_a_block_that_is_left_early_leaves_no_task_behind() -> None:
    tasks = BackgroundTasks()

    async def leave_early() -> None:
        async with tasks:
            tasks.start("cooperative", stop_on_request)
            tasks.start("stubborn", swallow_first_cancellation)
            await asyncio.sleep(0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(leave_early(), 10)

    assert tasks.states == {"cooperative": "stopped", "stubborn": "stopped"}
    assert tasks.failure is None


async def test_a_cancelled_stop_leaves_no_task_behind() -> None:
    async def stopping() -> None:
        async with BackgroundTasks() as tasks:
            tasks.start("stubborn", swallow_first_cancellation)
            reported.append(tasks)
            await tasks.stop(within=timedelta(minutes=1))

    reported: list[BackgroundTasks] = []
    task = asyncio.create_task(stopping())
    await until(lambda: reported)
    await asyncio.sleep(0)

    task.cancel()
    await asyncio.wait({task}, timeout=10)

    assert task.cancelled()
    assert reported[0].states == {"stubborn": "stopped"}
