"""The real application inside the test's own loop: composition root, gRPC port and all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gcsched import app
from gcsched.assembly import Resources
from gcsched.settings import Settings, load
from tests.service import environment, free_port, is_serving
from tests.waiting import until


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A served application; *stop* ends it in order."""

    target: str
    resources: Resources
    stop: asyncio.Event


def a_setting(*, mongo: str, redis: str, relay_port: int, **others: str) -> Settings:
    port = str(free_port())
    given = environment(mongo=mongo, redis=redis, relay_port=relay_port, **others)
    return load({**given, "GCSCHED_GRPC_LISTEN": f"127.0.0.1:{port}"})


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """Run *settings*' application for a block, and stop it in order."""
    stop = asyncio.Event()
    async with app.opened(settings) as resources, asyncio.TaskGroup() as tasks:
        assert await app.store_is_ready(resources, stop)
        tasks.create_task(app.run(settings, resources, stop), name="app")
        target = settings.grpc_listen
        await until(lambda: is_serving(target))
        try:
            yield Running(target=target, resources=resources, stop=stop)
        finally:
            stop.set()
