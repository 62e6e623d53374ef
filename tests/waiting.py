"""Wait for a condition: the one place where tests poll. Tests themselves never sleep."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def until(
    condition: Callable[[], Coroutine[Any, Any, T]], *, within: float = ..., every: float = ...
) -> T: ...
@overload
async def until(condition: Callable[[], T], *, within: float = ..., every: float = ...) -> T: ...
async def until(condition: Callable[[], Any], *, within: float = 10.0, every: float = 0.01) -> Any:
    """Ask *condition* again and again, return its first truthy value; fail after *within* s."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + within
    while True:
        answer = condition()
        value = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if clock() > deadline:
            name = getattr(condition, "__qualname__", repr(condition))
            raise AssertionError(f"{name} still gave {value!r} after {within:g} s")
        await asyncio.sleep(every)
