"""Waiting for a condition: the only place where tests poll. Tests themselves never sleep."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")

FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.01, 0.2
PAUSE_SHARE = 0.02  # of the time waited: a long wait needs no frequent checks


@overload
async def until(
    condition: Callable[[], Coroutine[Any, Any, T]],
    *,
    within: float = ...,
    every: float | None = ...,
) -> T: ...
@overload
async def until(
    condition: Callable[[], T], *, within: float = ..., every: float | None = ...
) -> T: ...
async def until(
    condition: Callable[[], Any], *, within: float = 10.0, every: float | None = None
) -> Any:
    """Call *condition* until it returns a truthy value, and return that; fail after *within* s."""
    clock = asyncio.get_running_loop().time
    start = clock()
    while True:
        result = condition()
        value = await result if inspect.isawaitable(result) else result
        if value:
            return value
        if (waited := clock() - start) > within:
            name = getattr(condition, "__qualname__", repr(condition))
            raise AssertionError(f"{name} still returned {value!r} after {within:g} s")
        await asyncio.sleep(pause_after(waited) if every is None else every)


def pause_after(waited: float) -> float:
    return max(FIRST_PAUSE_SECONDS, min(waited * PAUSE_SHARE, MAX_PAUSE_SECONDS))
