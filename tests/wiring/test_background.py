"""A part that ends by itself is a failure of all; one that was asked to is not."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from gcsched.errors import BackgroundTaskEnded
from gcsched.wiring.background import BackgroundTasks, Loop
from tests.support.wait import until

SOON = timedelta(seconds=0.1)


async def obedient(stop: asyncio.Event) -> None:
    await stop.wait()


async def raising(_: asyncio.Event) -> None:
    raise ValueError("defect")


async def returning(_: asyncio.Event) -> None:
    pass


async def raising_from_a_group(_: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(raising(asyncio.Event()))


async def cancelling(_: asyncio.Event) -> None:
    raise asyncio.CancelledError


async def ignoring_first_cancel(_: asyncio.Event) -> None:
    """Overhear the first cancel, as asyncio.wait_for may up to Python 3.11."""
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    await asyncio.Event().wait()


async def test_what_is_asked_to_stop_is_no_failure() -> None:
    parts = BackgroundTasks()
    parts.start("first", obedient)
    parts.start("second", obedient)
    assert parts.states == {"first": "running", "second": "running"}

    await parts.stop(within=SOON)

    assert parts.states == {"first": "stopped", "second": "stopped"}
    assert parts.failure is None


@pytest.mark.parametrize(
    ("loop", "how"),
    [
        (raising, "ended: ValueError"),
        (raising_from_a_group, "ended: ValueError"),
        (returning, "ended: it returned"),
        (cancelling, "ended: it was cancelled"),
    ],
)
async def test_what_ends_by_itself_is_told_at_once_and_once(loop: Loop, how: str) -> None:
    failures: list[BackgroundTaskEnded] = []
    parts = BackgroundTasks(failures.append)
    parts.start("good", obedient)

    parts.start("bad", loop)
    await until(lambda: failures)
    parts.start("also bad", returning)
    await until(lambda: parts.states["also bad"] != "running")
    await parts.stop(within=SOON)

    assert [(each.task, each.how) for each in failures] == [("bad", how)]
    assert parts.failure is failures[0]
    assert parts.states == {"good": "stopped", "bad": how, "also bad": "ended: it returned"}
    assert all(isinstance(each, BackgroundTaskEnded) for each in failures)
    assert isinstance(failures[0].__cause__, ValueError) == (loop is raising)


async def test_what_overhears_a_cancel_is_cancelled_again() -> None:
    parts = BackgroundTasks()
    parts.start("deaf", ignoring_first_cancel)
    await asyncio.sleep(0)

    async with asyncio.timeout(5):
        await parts.stop(within=SOON)

    assert parts.states["deaf"] == "stopped"
    assert parts.failure is None


async def test_a_block_that_is_left_early_leaves_no_part_behind() -> None:
    parts = BackgroundTasks()

    async def leave_early() -> None:
        async with parts:
            parts.start("obedient", obedient)
            parts.start("deaf", ignoring_first_cancel)
            await asyncio.sleep(0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(leave_early(), 10)

    assert parts.states == {"obedient": "stopped", "deaf": "stopped"}
    assert parts.failure is None


async def test_a_stop_that_is_cancelled_leaves_no_part_behind() -> None:
    async def stopping() -> None:
        async with BackgroundTasks() as parts:
            parts.start("deaf", ignoring_first_cancel)
            reported.append(parts)
            await parts.stop(within=timedelta(minutes=1))

    reported: list[BackgroundTasks] = []
    task = asyncio.create_task(stopping())
    await until(lambda: reported)
    await asyncio.sleep(0)

    task.cancel()
    await asyncio.wait({task}, timeout=10)

    assert task.cancelled()
    assert reported[0].states == {"deaf": "stopped"}
