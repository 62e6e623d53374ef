"""A part that ends by itself is a failure of all; one that was asked to is not."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from gcsched.errors import PartEnded
from gcsched.wiring.background import Loop, Parts
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


async def cancelled(_: asyncio.Event) -> None:
    raise asyncio.CancelledError


async def hard_of_hearing(_: asyncio.Event) -> None:
    """Overhear the first cancel, as asyncio.wait_for may up to Python 3.11."""
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    await asyncio.Event().wait()


async def test_what_is_asked_to_stop_is_no_failure() -> None:
    parts = Parts()
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
        (cancelled, "ended: it was cancelled"),
    ],
)
async def test_what_ends_by_itself_is_told_at_once_and_once(loop: Loop, how: str) -> None:
    failures: list[PartEnded] = []
    parts = Parts(failures.append)
    parts.start("good", obedient)

    parts.start("bad", loop)
    await until(lambda: failures)
    parts.start("also bad", returning)
    await until(lambda: parts.states["also bad"] != "running")
    await parts.stop(within=SOON)

    assert [(each.part, each.how) for each in failures] == [("bad", how)]
    assert parts.failure is failures[0]
    assert parts.states == {"good": "stopped", "bad": how, "also bad": "ended: it returned"}
    assert all(isinstance(each, PartEnded) for each in failures)
    assert isinstance(failures[0].__cause__, ValueError) == (loop is raising)


async def test_what_overhears_a_cancel_is_cancelled_again() -> None:
    parts = Parts()
    parts.start("deaf", hard_of_hearing)
    await asyncio.sleep(0)

    async with asyncio.timeout(5):
        await parts.stop(within=SOON)

    assert parts.states["deaf"] == "stopped"
    assert parts.failure is None


async def test_a_block_that_is_left_early_leaves_no_part_behind() -> None:
    parts = Parts()

    async def left_early() -> None:
        async with parts:
            parts.start("obedient", obedient)
            parts.start("deaf", hard_of_hearing)
            await asyncio.sleep(0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(left_early(), 10)

    assert parts.states == {"obedient": "stopped", "deaf": "stopped"}
    assert parts.failure is None


async def test_a_stop_that_is_cancelled_leaves_no_part_behind() -> None:
    async def stopping() -> None:
        async with Parts() as parts:
            parts.start("deaf", hard_of_hearing)
            told.append(parts)
            await parts.stop(within=timedelta(minutes=1))

    told: list[Parts] = []
    task = asyncio.create_task(stopping())
    await until(lambda: told)
    await asyncio.sleep(0)

    task.cancel()
    await asyncio.wait({task}, timeout=10)

    assert task.cancelled()
    assert told[0].states == {"deaf": "stopped"}
