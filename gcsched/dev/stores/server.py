"""Keep a server running as long as a block lasts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar


class StoreServer(Protocol):
    def launch(self) -> None:
        """Start the process; in the main thread, see Child."""

    def wait_ready(self) -> None:
        """Block until the server serves."""

    def close(self) -> None:
        """End the process and wait for that."""


S = TypeVar("S", bound=StoreServer)


@asynccontextmanager
async def run_server(server: S) -> AsyncIterator[S]:
    server.launch()
    try:
        await asyncio.to_thread(server.wait_ready)
        yield server
    finally:
        await asyncio.to_thread(server.close)
