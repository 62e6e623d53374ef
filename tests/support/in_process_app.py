"""The real application inside the test's own event loop, with its gRPC port."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from gcsched import app
from gcsched.config.settings import Settings, read_settings
from gcsched.wiring.resources import Resources
from tests.support.kept_templates import load_kept_templates
from tests.support.ports import free_port
from tests.support.service_process import a_meet, environment, is_serving, scheduler_stub
from tests.support.wait import until

Documents = list[dict[str, Any]]
STOP_WITHIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningApp:
    """A running application; *stop* ends it in order."""

    target: str
    http: str
    resources: Resources
    stop: asyncio.Event


def make_settings(*, mongo: str, redis: str, relay_port: int, **others: str) -> Settings:
    listen = {"grpc_listen": f"127.0.0.1:{free_port()}", "http_listen": "127.0.0.1:0"}
    return read_settings(
        environment(mongo=mongo, redis=redis, relay_port=relay_port, **listen, **others)
    )


@asynccontextmanager
async def running_app(
    settings: Settings, credentials: grpc.ChannelCredentials | None = None
) -> AsyncIterator[RunningApp]:
    """Run the application with *settings* during the block, and stop it in order.

    With TLS, *credentials* are those of a caller.
    """
    stop = asyncio.Event()
    resources_scope = app.open_resources(settings, templates=load_kept_templates(settings))
    async with resources_scope as resources, asyncio.TaskGroup() as tasks:
        assert await app.wait_for_store(resources, stop)
        running = tasks.create_task(app.run(settings, resources, stop), name="app")
        target = settings.grpc_listen
        await until(lambda: is_serving(target, credentials))
        try:
            yield RunningApp(
                target=target,
                http=f"http://127.0.0.1:{resources.http_port}",
                resources=resources,
                stop=stop,
            )
        finally:
            stop.set()
            # Also where the test has failed: what is left open would fail a later one.
            await asyncio.wait({running}, timeout=STOP_WITHIN_SECONDS)


async def schedule_mails(app: RunningApp, count: int, *, first: int = 0) -> None:
    """Schedule *count* mails that are due now, to recipients from number *first* on."""
    async with scheduler_stub(app.target) as stub:
        calls = [stub.ScheduleMeet(a_meet(number)) for number in range(first, first + count)]
        assert all([(await call).success for call in calls])


async def read_jobs(resources: Resources) -> Documents:
    return [document async for document in resources.mongo.jobs.find()]


async def read_jobs_if_all_sent(resources: Resources) -> Documents:
    found = await read_jobs(resources)
    return found if {job["state"] for job in found} == {"SENT"} else []
