"""Two services restart in turn under 300 calls of the asyncio client and 8 threads."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace

from gcsched.pb import task_pb2
from gcsched.rpc.server import serve_grpc
from gcsched.rpc.servicer import SchedulerServicer
from tests.scenarios.client_restarts import (
    WITHIN_SECONDS,
    ManyCallers,
    call_each_once,
    count_connections,
    count_settled_resources,
    find_leaks,
)
from tests.support.handlers import handlers_of
from tests.support.ports import free_port

GRACE = timedelta(seconds=1)


async def accept(request: task_pb2.MeetRequest, _: object) -> task_pb2.MeetResponse:
    return task_pb2.MeetResponse(success=True, job_id=f"job of {request.empid}")


async def list_no_templates(*_: object) -> task_pb2.ListTemplatesResponse:
    return task_pb2.ListTemplatesResponse()


@asynccontextmanager
async def serve_at(port: int) -> AsyncIterator[None]:
    methods = SimpleNamespace(ScheduleMeet=accept, ListTemplates=list_no_templates)
    servicer = SchedulerServicer(handlers_of(methods))
    open_server = serve_grpc(servicer, listen=f"127.0.0.1:{port}", on_call=lambda *_: None)
    async with open_server as server:
        yield
        await server.stop_gracefully(GRACE)


@asynccontextmanager
async def serve_in_turn(ports: list[int]) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Serve at *ports*; yield what restarts one server after the other."""
    async with AsyncExitStack() as stack:
        servers = {port: await stack.enter_async_context(AsyncExitStack()) for port in ports}
        for port, server in servers.items():
            await server.enter_async_context(serve_at(port))

        async def restart_each() -> None:
            for port, server in servers.items():
                await server.aclose()
                await server.enter_async_context(serve_at(port))

        yield restart_each


async def test_no_call_is_lost_and_nothing_stays_behind_when_services_restart_in_turn() -> None:
    ports = [free_port(), free_port()]
    target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
    callers = ManyCallers(target=target, tasks=300, timeout=WITHIN_SECONDS)
    most_connections = 0

    async with serve_in_turn(ports):  # what gRPC keeps for the whole process is there afterwards
        await call_each_once(target)
    before = await count_settled_resources(ports)
    async with serve_in_turn(ports) as restart_each:

        async def restart() -> None:
            nonlocal most_connections
            await restart_each()
            most_connections = count_connections(ports)

        await callers.call_during(restart)
    leaks = await find_leaks(ports, before)

    assert leaks == []
    assert callers.failures == []
    assert callers.jobs == {empid: f"job of {empid}" for empid in callers.jobs}
    assert len(callers.jobs) >= 2 * 308
    assert most_connections <= 2 * 4 * len(ports)  # both ends; calls and a watch of both clients
