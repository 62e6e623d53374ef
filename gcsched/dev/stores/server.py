"""Servers that run until a block ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar


class StoreServer(Protocol):
    def launch(self) -> None:
        """Start the process; call it from the main thread, see ChildProcess."""

    def wait_ready(self) -> None:
        """Block until the server is ready."""

    def close(self) -> None:
        """Stop the process and wait for its end."""


S = TypeVar("S", bound=StoreServer)


@asynccontextmanager
async def run_server(server: S) -> AsyncIterator[S]:
    server.launch()
    try:
        await asyncio.to_thread(server.wait_ready)
        yield server
    finally:
        await asyncio.to_thread(server.close)
