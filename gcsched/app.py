"""The composition root: open resources, assemble the service, run it, stop it. Read this first.

What stops first, and why, is said by `start_order` in wiring/assembly.py: it stops in reverse.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from gcsched import __version__
from gcsched.adapters.mail.templates import TemplateSet
from gcsched.adapters.mongo.clock import ServerClock
from gcsched.adapters.mongo.connection import open_mongo
from gcsched.adapters.redis.clients import open_redis
from gcsched.config.settings import Settings
from gcsched.errors import PartEnded, StoreRefused, StoreUnavailable
from gcsched.process.listening import refuse_taken
from gcsched.process.stop_signals import stopped_by_signals
from gcsched.process.watchdog import Unwatched, Watching
from gcsched.rpc import streams
from gcsched.rpc.server import GRPC_LISTEN, MOST_LOOKS, QUIET_SECONDS, Most, RpcServer, serving_grpc
from gcsched.rpc.servicer import SchedulerServicer
from gcsched.usecases.lasting_trouble import LastingTrouble
from gcsched.usecases.loops import cancel_until_done, note_failure, sleep_unless
from gcsched.web.connections import Connections
from gcsched.web.gauges import DroppedLines
from gcsched.web.metrics import Metrics
from gcsched.web.readiness import Readiness
from gcsched.web.server import Pages, serving_http
from gcsched.wiring.assembly import Service, assemble
from gcsched.wiring.background import LEAST, TO_CUT_OFF, Parts
from gcsched.wiring.capacity import for_callers
from gcsched.wiring.relays import pools
from gcsched.wiring.resources import Resources
from gcsched.wiring.start_line import start_facts
from gcsched.wiring.templates import load_templates

TO_STOP_THE_REST = timedelta(seconds=5)
TO_STOP_THE_ENGINE = timedelta(seconds=16)  # a little more than the longest claim
LONGEST_CALL = timedelta(seconds=10)
AFTER_FAILURE = timedelta(seconds=3)  # for calls, then for mails, when a part ended by itself
TO_END_TASKS = timedelta(seconds=2)
# After a failure: callers go and their calls end, mails end or are cut off, outcomes are written,
# all is closed; 15 in all.
HARD_END_SECONDS = (
    MOST_LOOKS * QUIET_SECONDS
    + (streams.TO_END + AFTER_FAILURE).total_seconds()
    + (AFTER_FAILURE + TO_CUT_OFF + LEAST).total_seconds()
    + TO_END_TASKS.total_seconds()
    + 2.0
)
# Above all that an orderly stop may take beside the grace: the engine, the rest, and closing.
HARD_STOP_SECONDS = 32.0
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 5.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def utc_now() -> datetime:
    """Tell the time. Nothing else in gcsched asks the machine for it."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the process around the service gives it; by default nothing, as inside a test."""

    watchdog: Watching = field(default_factory=Unwatched)
    log_lines_dropped: Callable[[], int] = lambda: 0
    last_act: Callable[[], object] = lambda: None
    to_close_seconds: float = 0.0
    """What the end of a process needs for more than the service."""

    def end_in_time(self, why: str) -> None:
        """Have the process ended hard when what failed does not end and close in time."""
        self.watchdog.arm(HARD_END_SECONDS + self.to_close_seconds, why)

    @contextmanager
    def watching_failures(self) -> Iterator[None]:
        """Let a failure of the block be the last, however long what is around it takes to close.

        What is closed may wait for threads, and asyncio's own runner does so without a limit.
        """
        try:
            yield
        except BaseException as error:
            self.end_in_time(f"it did not end in time after {type(error).__name__}")
            raise


async def serve(settings: Settings, around: Surroundings) -> int:
    """Run the service until SIGTERM or SIGINT; return the exit code.

    Raises TemplateProblem, CannotListen, which keep it from starting, and PartEnded. Logs are set
    up already.
    """
    stop = asyncio.Event()
    to_stop = settings.stop_grace_seconds + HARD_STOP_SECONDS
    hurry = partial(around.watchdog.arm, to_stop, "it did not stop in time")
    with (
        stopped_by_signals(stop, on_signal=hurry, last_act=around.last_act),
        around.watching_failures(),
    ):
        # Before anything is waited for; the server finds out once more when it begins to listen.
        refuse_taken(settings.grpc_listen, GRPC_LISTEN, is_shared=settings.reuse_port)
        try:
            async with opened(settings, around) as resources:
                if await store_is_ready(resources, stop):
                    await run(settings, resources, stop, around=around)
        finally:
            await end_all_tasks()
    log.info("stopped")
    return 0


async def end_all_tasks() -> None:
    """Cancel what is left on this loop: asyncio's own runner cancels once and waits for ever."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if not await cancel_until_done(left, within=TO_END_TASKS):
        names = sorted(task.get_name() for task in left if not task.done())
        log.error("tasks do not end", tasks=names)
    for task in left:
        if task.done():
            note_failure(task)


@asynccontextmanager
async def opened(
    settings: Settings,
    around: Surroundings | None = None,
    templates: TemplateSet | None = None,
) -> AsyncIterator[Resources]:
    """Open every resource; they close in reverse order, so that we can be seen until the end.

    Raises TemplateProblem, CannotListen.
    """
    around = around or Surroundings()
    templates = templates or load_templates(settings)
    mailers, readiness = pools(settings), Readiness()
    metrics = Metrics(version=__version__, relays=[mailer.name for mailer in mailers])
    metrics.registry.register(DroppedLines(around.log_lines_dropped))
    async with AsyncExitStack() as stack, AsyncExitStack() as innermost:
        innermost.enter_context(around.watching_failures())
        pages = Pages(registry=metrics.registry, readiness=readiness)
        most = for_callers(settings)
        connections = Connections(most=most.http)
        serving = serving_http(pages, listen=settings.http_listen, connections=connections)
        http_port = await stack.enter_async_context(serving)
        uri, is_allowed = settings.mongo_uri.get_secret_value(), settings.allow_standalone
        opening = open_mongo(uri, may_be_standalone=is_allowed)
        mongo = await stack.enter_async_context(opening)
        redis_url = settings.redis_url.get_secret_value()
        clients = open_redis(redis_url, sessions=settings.smtp_sessions)
        redis = await stack.enter_async_context(clients)
        for mailer in mailers:
            await stack.enter_async_context(mailer)
        yield Resources(
            mongo=mongo,
            redis=redis,
            mailers=mailers,
            templates=templates,
            clock=ServerClock(mongo=mongo, local=utc_now),
            metrics=metrics,
            readiness=readiness,
            http_port=http_port,
            most_grpc_connections=most.grpc,
        )


async def store_is_ready(resources: Resources, stop: asyncio.Event) -> bool:
    """Wait with back-off for MongoDB, then prepare it; False when stopped meanwhile.

    Raises SettingsProblems at a standalone one that is not allowed.
    """
    wait, is_known = FIRST_WAIT_SECONDS, False
    trouble = LastingTrouble(event="waiting for MongoDB", over="MongoDB is there")
    while not stop.is_set():
        try:
            if not is_known:
                await resources.mongo.check_kind()
                is_known = True
            await resources.mongo.prepare()
            await resources.clock.measure()
        except StoreUnavailable as error:
            why = error.sentence if isinstance(error, StoreRefused) else error.why
            resources.readiness.waiting(why)
            trouble.met(why, again_in_seconds=wait)
            await sleep_unless(stop, wait)
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)
        else:
            trouble.ended()
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
    around: Surroundings | None = None,
) -> None:
    """Start the parts, serve, and at *stop* end it all in the order that loses nothing.

    *on_serving* is told the service and the port, once calls are taken. A part that ends by itself
    sets *stop*. Raises CannotListen, and PartEnded after the end.
    """
    service = assemble(settings, resources)

    def on_failure(failure: PartEnded) -> None:
        resources.readiness.failed(f"part {failure.part} {failure.how}")
        if not stop.is_set():
            surroundings.end_in_time(str(failure))
        stop.set()

    surroundings = around or Surroundings()
    parts = Parts(on_failure)
    # The port first: without it no part has begun anything that would be cut off.
    async with (
        grpc_server(settings, resources, service) as server,
        parts,
        AsyncExitStack() as innermost,
    ):
        innermost.enter_context(surroundings.watching_failures())
        for name, loop in service.loops:
            parts.start(name, loop)
        resources.readiness.show_parts(lambda: parts.states)
        resources.readiness.serving()
        log.info("serving", **start_facts(settings, resources, grpc_port=server.port))
        on_serving(service, server.port)
        await stop.wait()
        resources.readiness.stopping()
        await wind_down(server, parts, grace=timedelta(seconds=settings.stop_grace_seconds))
    if parts.failure is not None:
        raise parts.failure


def grpc_server(
    settings: Settings, resources: Resources, service: Service
) -> AbstractAsyncContextManager[RpcServer]:
    """Return the server of *service*'s methods; it listens once it is entered."""
    most = Most(
        connections=resources.most_grpc_connections,
        call_octets=settings.call_memory_mb * 2**20,
    )
    return serving_grpc(
        SchedulerServicer(service.handlers),
        listen=settings.grpc_listen,
        reuse_port=settings.reuse_port,
        on_call=resources.metrics.call,
        most=most,
    )


async def wind_down(server: RpcServer, parts: Parts, *, grace: timedelta) -> None:
    """Send callers elsewhere, begin nothing new, finish what has begun."""
    to_stop_the_engine, to_stop_the_rest = TO_STOP_THE_ENGINE, grace + TO_STOP_THE_REST
    if parts.failure is not None:
        to_stop_the_engine = to_stop_the_rest = grace = min(grace, AFTER_FAILURE)
    log.info("stopping", grace_seconds=grace.total_seconds())
    await asyncio.gather(
        parts.stop_last(within=to_stop_the_engine),  # nothing new is claimed or begun
        server.wind_down(min(grace, LONGEST_CALL)),
    )
    await parts.stop(within=to_stop_the_rest)
