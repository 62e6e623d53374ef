"""The composition root: open resources, assemble the service, run it, stop it. Read this first.

`start_order` in wiring/start_order.py explains the order of the background tasks; they stop in
reverse.
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
from gcsched.config.settings import Settings
from gcsched.errors import BackgroundTaskEnded, StoreRefused, StoreUnavailable
from gcsched.process.listening import check_can_listen
from gcsched.process.stop_signals import stop_on_signals
from gcsched.process.watchdog import NoWatchdog, WatchdogProtocol
from gcsched.rpc import streams
from gcsched.rpc.server import (
    GRPC_LISTEN,
    MAX_QUIET_CHECKS,
    QUIET_SECONDS,
    PortOptions,
    RpcServer,
    ServerLimits,
    serve_grpc,
)
from gcsched.rpc.servicer import SchedulerServicer
from gcsched.usecases.loops import sleep_unless
from gcsched.usecases.problem_log import ProblemLog
from gcsched.web.connection_limiter import ConnectionLimiter
from gcsched.web.gauges import DroppedLogLines
from gcsched.web.metrics import Metrics
from gcsched.web.readiness import Readiness
from gcsched.web.server import Endpoints, serve_http
from gcsched.wiring.access import load_clients
from gcsched.wiring.assembly import Service, assemble
from gcsched.wiring.background import MAX_END_SECONDS, BackgroundTasks, cancel_all_tasks
from gcsched.wiring.capacity import share_descriptors
from gcsched.wiring.optional_console import Console, open_console
from gcsched.wiring.relays import build_pools
from gcsched.wiring.resources import Resources, open_stores
from gcsched.wiring.start_line import log_start_warnings, start_facts
from gcsched.wiring.templates import load_templates
from gcsched.wiring.tls import open_tls

STOP_OTHERS_TIMEOUT = timedelta(seconds=5)
STOP_ENGINE_TIMEOUT = timedelta(seconds=16)  # a little more than the longest claim
MAX_CALL_GRACE = timedelta(seconds=10)
FAILURE_GRACE = timedelta(seconds=3)  # for calls, then for mails, after a task ended by itself
# After a failure: callers leave and their calls end, mails end or are cancelled, outcomes are
# written, resources close; 15 s in total.
FAILURE_DEADLINE_SECONDS = (
    MAX_QUIET_CHECKS * QUIET_SECONDS
    + (streams.END_TIMEOUT + FAILURE_GRACE).total_seconds()
    + FAILURE_GRACE.total_seconds()
    + MAX_END_SECONDS
    + 2.0
)
# More than an orderly stop takes beyond the grace: the engine, the other tasks, and closing.
STOP_DEADLINE_SECONDS = 32.0
INITIAL_WAIT_SECONDS, MAX_WAIT_SECONDS = 0.5, 5.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def utc_now() -> datetime:
    """Return the machine's time. Nothing else reads it, except the checks of certificates."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessHooks:
    """The hooks of the hosting process; by default they do nothing, as in a test."""

    watchdog: WatchdogProtocol = field(default_factory=NoWatchdog)
    log_lines_dropped: Callable[[], int] = lambda: 0
    before_exit: Callable[[], object] = lambda: None
    close_seconds: float = 0.0
    """The time that the process needs to close what it runs beside the service."""

    def arm_watchdog(self, why: str) -> None:
        """Have the watchdog abort the process unless it ends in time after a failure."""
        self.watchdog.arm(FAILURE_DEADLINE_SECONDS + self.close_seconds, why)

    @contextmanager
    def arm_on_failure(self) -> Iterator[None]:
        """Arm the watchdog if the block fails, so that closing cannot keep the process alive.

        Resources that close may wait for threads, and asyncio's runner does so without a limit.
        """
        try:
            yield
        except BaseException as error:
            self.arm_watchdog(f"it did not end in time after {type(error).__name__}")
            raise


async def serve(settings: Settings, hooks: ProcessHooks) -> int:
    """Run the service until SIGTERM or SIGINT; return the exit code. Logging is configured before.

    Raises TemplateProblem and CannotListen if it cannot start, and BackgroundTaskEnded.
    """
    stop, seconds = asyncio.Event(), settings.stop_grace_seconds + STOP_DEADLINE_SECONDS
    arm_for_stop = partial(hooks.watchdog.arm, seconds, "it did not stop in time")
    with (
        stop_on_signals(stop, on_signal=arm_for_stop, before_exit=hooks.before_exit),
        hooks.arm_on_failure(),
    ):
        # Before any wait, so that the operator sees it at once; the server checks again later.
        check_can_listen(settings.grpc_listen, GRPC_LISTEN, is_shared=settings.reuse_port)
        try:
            async with open_resources(settings, hooks) as resources:
                if await wait_for_store(resources, stop):
                    await run(settings, resources, stop, hooks=hooks)
        finally:
            await cancel_all_tasks()
    log.info("stopped")
    return 0


@asynccontextmanager
async def open_resources(
    settings: Settings,
    hooks: ProcessHooks | None = None,
    templates: TemplateSet | None = None,
) -> AsyncIterator[Resources]:
    """Open every resource. They close in reverse order, so that HTTP answers until the end.

    Raises TemplateProblem, CannotListen, SettingsProblems of the files of clients and of TLS.
    """
    hooks = hooks or ProcessHooks()
    templates = templates or load_templates(settings)
    clients_file, tls = load_clients(settings), open_tls(settings, now=utc_now)
    mailers, readiness = build_pools(settings), Readiness()
    metrics = Metrics(version=__version__, relays=[mailer.name for mailer in mailers])
    metrics.registry.register(DroppedLogLines(hooks.log_lines_dropped))
    limits = share_descriptors(settings)
    async with AsyncExitStack() as stack, AsyncExitStack() as innermost:
        innermost.enter_context(hooks.arm_on_failure())
        http = serve_http(
            Endpoints(registry=metrics.registry, readiness=readiness),
            listen=settings.http_listen,
            limiter=ConnectionLimiter(max_connections=limits.http),
            tls=tls.http_context,
        )
        http_port = await stack.enter_async_context(http)
        console = await stack.enter_async_context(
            open_console(settings, readiness=readiness, metrics=metrics, tls=tls, now=utc_now)
        )
        mongo, redis = await open_stores(stack, settings, has_clients=clients_file is not None)
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
            max_grpc_connections=limits.grpc,
            tls=tls,
            console=console,
            clients_file=clients_file,
        )


async def wait_for_store(resources: Resources, stop: asyncio.Event) -> bool:
    """Wait with back-off for MongoDB, then prepare it; return False if stopped meanwhile.

    Raises SettingsProblems if it is a standalone that the settings do not allow.
    """
    wait, is_known = INITIAL_WAIT_SECONDS, False
    problems = ProblemLog(event="waiting for MongoDB", end_event="MongoDB is available")
    while not stop.is_set():
        try:
            if not is_known:
                await resources.mongo.check_deployment()
                is_known = True
            await resources.mongo.prepare()
            await resources.clock.measure()
        except StoreUnavailable as error:
            why = error.sentence if isinstance(error, StoreRefused) else error.why
            resources.readiness.set_waiting_reason(why)
            problems.record_failure(why, retry_in_seconds=wait)
            await sleep_unless(stop, wait)
            wait = min(wait * 2, MAX_WAIT_SECONDS)
        else:
            problems.record_success()
            return True
    return False


def do_nothing(_: Service, __: int) -> None:
    """Ignore the start of serving: the default *on_serving*."""


async def run(
    settings: Settings,
    resources: Resources,
    stop: asyncio.Event,
    *,
    on_serving: Callable[[Service, int], None] = do_nothing,
    hooks: ProcessHooks | None = None,
) -> None:
    """Start the background tasks, serve, and at *stop* end them in the order that loses nothing.

    *on_serving* gets the service and the port once calls are accepted. A background task that ends
    by itself sets *stop*. Raises CannotListen, and BackgroundTaskEnded after the end.
    """
    hooks = hooks or ProcessHooks()
    service = assemble(settings, resources)
    log_start_warnings(settings)
    tasks = BackgroundTasks(make_on_failure(resources, stop, hooks))
    # The port first: if it is taken, no task has started work that would be interrupted.
    async with (
        build_grpc_server(settings, resources, service) as server,
        tasks,
        AsyncExitStack() as innermost,
    ):
        innermost.enter_context(hooks.arm_on_failure())
        for name, loop in service.loops:
            tasks.start(name, loop)
        resources.readiness.set_tasks(lambda: tasks.states)
        resources.readiness.mark_serving()
        resources.console.connect(service)
        log.info("serving", **start_facts(settings, resources, grpc_port=server.port))
        on_serving(service, server.port)
        await stop.wait()
        resources.readiness.mark_stopping()
        grace = timedelta(seconds=settings.stop_grace_seconds)
        await shut_down(server, resources.console, tasks, grace=grace)
        resources.console.disconnect()
    if tasks.failure is not None:
        raise tasks.failure


def make_on_failure(
    resources: Resources, stop: asyncio.Event, hooks: ProcessHooks
) -> Callable[[BackgroundTaskEnded], None]:
    """Return the function that sets *stop* when a background task has ended by itself."""

    def on_failure(failure: BackgroundTaskEnded) -> None:
        resources.readiness.mark_failed(f"background task {failure.task} {failure.how}")
        if not stop.is_set():
            hooks.arm_watchdog(str(failure))
        stop.set()

    return on_failure


def build_grpc_server(
    settings: Settings, resources: Resources, service: Service
) -> AbstractAsyncContextManager[RpcServer]:
    """Return the server of *service*'s methods; it listens while its context is entered."""
    access, on_call = service.access, resources.metrics.on_call
    limits = ServerLimits(
        connections=resources.max_grpc_connections,
        call_octets=settings.call_memory_mb * 2**20,
        check_call=service.check_call,
        gate=None if access is None else access.build_gate(settings, on_call),
    )
    return serve_grpc(
        SchedulerServicer(service.handlers, service.call_limits),
        listen=settings.grpc_listen,
        on_call=on_call,
        limits=limits,
        port=PortOptions(is_shared=settings.reuse_port, certificate=resources.tls.certificate),
    )


async def shut_down(
    server: RpcServer, console: Console, tasks: BackgroundTasks, *, grace: timedelta
) -> None:
    """Turn callers away, start nothing new, finish what has begun."""
    engine_timeout, others_timeout = STOP_ENGINE_TIMEOUT, grace + STOP_OTHERS_TIMEOUT
    if tasks.failure is not None:
        engine_timeout = others_timeout = grace = min(grace, FAILURE_GRACE)
    log.info("stopping", grace_seconds=grace.total_seconds())
    await asyncio.gather(
        tasks.stop_last(within=engine_timeout),  # the engine: nothing new is claimed or begun
        server.stop_gracefully(min(grace, MAX_CALL_GRACE)),
        console.finish_acts(within=min(grace, MAX_CALL_GRACE)),
    )
    await tasks.stop(within=others_timeout)
