"""Wait for a condition: the one place where tests poll. Tests themselves never sleep."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")

FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.01, 0.2
PAUSE_SHARE = 0.02  # of the time waited: whoever waits for long need not ask often


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
    """Ask *condition* again and again, return its first truthy value; fail after *within* s."""
    clock = asyncio.get_running_loop().time
    begun = clock()
    while True:
        answer = condition()
        value = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if (waited := clock() - begun) > within:
            name = getattr(condition, "__qualname__", repr(condition))
            raise AssertionError(f"{name} still gave {value!r} after {within:g} s")
        await asyncio.sleep(pause_after(waited) if every is None else every)


def pause_after(waited: float) -> float:
    return max(FIRST_PAUSE_SECONDS, min(waited * PAUSE_SHARE, MAX_PAUSE_SECONDS))
