"""The acts under way: at its end the process waits for them, and begins no more."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

from gcsched.errors import Stopping


@dataclass(kw_only=True, eq=False)
class Acts:
    """Counts the acts under way."""

    _count: int = field(default=0, init=False)
    _is_stopping: bool = field(default=False, init=False)
    _idle: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    @contextmanager
    def begin(self) -> Iterator[None]:
        """Count an act during the block. Raises Stopping once the process stops."""
        if self._is_stopping:
            raise Stopping
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._idle.set()

    async def finish(self, *, within: timedelta) -> None:
        """Refuse new acts, and wait for those under way."""
        self._is_stopping = True
        if self._count:
            self._idle.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(within.total_seconds()):
                    await self._idle.wait()
