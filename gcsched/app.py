"""The composition root: open resources, assemble the service, run it, stop it. Read this first."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta

import structlog
from redis.asyncio import Redis

from gcsched import __version__
from gcsched.adapters.arq import open_arq
from gcsched.adapters.mongo.clock import ServerClock
from gcsched.adapters.mongo.connection import open_mongo
from gcsched.adapters.redis import open_pool
from gcsched.adapters.template_folder import default_folder
from gcsched.adapters.templates import Templates
from gcsched.assembly import Service, assemble
from gcsched.errors import StoreUnavailable
from gcsched.parts import Parts
from gcsched.relaying import pools
from gcsched.resources import Resources
from gcsched.rpc.server import RpcServer, serving_grpc
from gcsched.rpc.servicer import SchedulerServicer
from gcsched.settings import Settings
from gcsched.web.metrics import Metrics
from gcsched.web.readiness import Readiness
from gcsched.web.server import Pages, serving_http

TO_STOP_THE_REST = timedelta(seconds=5)
TO_STOP_THE_ENGINE = timedelta(seconds=16)  # a little more than the longest claim
LONGEST_CALL = timedelta(seconds=10)
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 5.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def utc_now() -> datetime:
    """Tell the time. Nothing else in gcsched asks the machine for it."""
    return datetime.now(UTC)


async def serve(settings: Settings) -> int:
    """Run the service until SIGTERM or SIGINT; give the exit code.

    Raises TemplateProblem, AddressInUse: what keeps it from starting. Logs are set up already.
    """
    stop = asyncio.Event()
    with stopped_by_signals(stop):
        async with opened(settings) as resources:
            if not await store_is_ready(resources, stop):
                return 0
            await run(settings, resources, stop)
    log.info("stopped")
    return 0


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Resources]:
    """Open every resource; they close in reverse order, so that we can be seen until the end.

    Raises TemplateProblem, AddressInUse.
    """
    templates = Templates.load(settings.templates_dir or default_folder())
    mailers, readiness = pools(settings), Readiness()
    metrics = Metrics(version=__version__, relays=[mailer.name for mailer in mailers])
    async with AsyncExitStack() as stack:
        pages = Pages(registry=metrics.registry, readiness=readiness)
        serving = serving_http(pages, listen=settings.http_listen)
        http_port = await stack.enter_async_context(serving)
        mongo = await stack.enter_async_context(open_mongo(settings.mongo_uri.get_secret_value()))
        pool = open_pool(settings.redis_url.get_secret_value(), sessions=settings.smtp_sessions)
        redis = Redis(connection_pool=pool)
        stack.push_async_callback(redis.aclose, close_connection_pool=True)
        arq = open_arq(settings.redis_url.get_secret_value())
        stack.push_async_callback(arq.aclose, close_connection_pool=True)
        for mailer in mailers:
            await stack.enter_async_context(mailer)
        yield Resources(
            mongo=mongo,
            redis=redis,
            arq=arq,
            mailers=mailers,
            templates=templates,
            clock=ServerClock(mongo=mongo, local=utc_now),
            metrics=metrics,
            readiness=readiness,
            http_port=http_port,
        )


async def store_is_ready(resources: Resources, stop: asyncio.Event) -> bool:
    """Wait with back-off for MongoDB, then prepare it; False when stopped meanwhile."""
    wait = FIRST_WAIT_SECONDS
    while not stop.is_set():
        try:
            await resources.mongo.prepare()
            await resources.clock.measure()
        except StoreUnavailable as error:
            log.warning(
                "waiting for MongoDB", error=str(error.__cause__)[:300], again_in_seconds=wait
            )
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait)
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)
        else:
            return True
    return False


def nobody_waits(_: Service, __: int) -> None:
    """Be the *on_serving* of whoever only serves."""


async def run(
    settings: Settings,
    resources: Resources,
    stop: asyncio.Event,
    *,
    on_serving: Callable[[Service, int], None] = nobody_waits,
) -> None:
    """Start the parts, serve, and at *stop* end it all in the order that loses nothing.

    *on_serving* is told the service and the port, once calls are taken. Raises AddressInUse.
    """
    service = assemble(settings, resources)
    serving = serving_grpc(
        SchedulerServicer(*service.handlers),
        listen=settings.grpc_listen,
        reuse_port=settings.reuse_port,
        on_call=resources.metrics.call,
        call_memory=settings.call_memory_mb * 2**20,
    )
    # The port first: without it no part has begun anything that would be cut off.
    async with (
        serving as server,
        asyncio.TaskGroup() as tasks,
    ):
        parts = Parts(tasks)
        for name, loop in service.loops:
            parts.start(name, loop)
        ports = {"port": server.port, "http_port": resources.http_port}
        log.info("serving", grpc=settings.grpc_listen, **ports, version=__version__)
        on_serving(service, server.port)
        await stop.wait()
        resources.readiness.stopping()
        await wind_down(server, parts, grace=timedelta(seconds=settings.stop_grace_seconds))


async def wind_down(server: RpcServer, parts: Parts, *, grace: timedelta) -> None:
    """Send callers elsewhere, begin nothing new, finish what has begun."""
    log.info("stopping", grace_seconds=grace.total_seconds())
    await asyncio.gather(
        parts.stop_last(within=TO_STOP_THE_ENGINE),  # nothing new is claimed or begun
        server.wind_down(min(grace, LONGEST_CALL)),
    )
    await parts.stop(within=grace + TO_STOP_THE_REST)


@contextmanager
def stopped_by_signals(
    stop: asyncio.Event, *, last_act: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Set *stop* at SIGTERM or SIGINT; a second signal ends the process right after *last_act*."""
    loop = asyncio.get_running_loop()

    def on_signal(number: int) -> None:
        if stop.is_set():
            last_act()
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
