"""A service, and what may be wrong with it for a while."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message

from gcsched.client import AsyncClient
from gcsched.pb import task_pb2
from tests.scenarios.method_calls import TO_FAIL, TO_LOSE
from tests.support.clients import TestToken, client_toml, make_token, write_clients
from tests.support.relay.script import Answer, At, LoseReply, ScriptedRule
from tests.support.relay.server import Relay
from tests.support.service_process import (
    ServiceProcess,
    a_meet,
    environment,
    running_service,
    scheduler_stub,
)
from tests.support.stores import OwnServer, own_mongod, own_valkey
from tests.support.wait import until

LIMITS = "limits = { calls_per_second = 0.1, burst = 1 }"
FLOOD_CALLS, FLOOD_SECONDS = 490, 20  # 16 MiB are for 512 calls of 32 KiB, of which 460 schedule
FLOOD_CONNECTIONS = 3  # each has room for 200 calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A service on stores of its own, with a token for every call and one for hardly any."""

    service: ServiceProcess
    mongo: OwnServer
    token: TestToken
    limited: TestToken


Condition = Callable[[Stage], AbstractAsyncContextManager[None]]
"""It begins when the block does, and is over some time after it."""


@asynccontextmanager
async def a_stage(folder: Path) -> AsyncIterator[Stage]:
    token, limited = make_token(), make_token()
    clients = write_clients(
        folder / "clients.toml",
        client_toml("all", ["admin"], token),
        client_toml("limited", ["admin"], limited, lines=[LIMITS]),
    )
    async with AsyncExitStack() as stack:
        mongo = await stack.enter_async_context(own_mongod(folder))
        valkey = await stack.enter_async_context(own_valkey(folder))
        relay = await stack.enter_async_context(Relay())
        relay.add_rule(
            ScriptedRule(at=At.RCPT, to=TO_FAIL, action=Answer(550, "5.7.1 not from you"))
        )
        relay.add_rule(ScriptedRule(at=At.BODY, to=TO_LOSE, action=LoseReply()))
        variables = environment(
            mongo=mongo.uri,
            redis=valkey.uri,
            relay_port=relay.port,
            on_uncertain="hold",
            test_recipients="example.org",
            call_memory_mb="16",
            clients_file=str(clients),
        )
        service = await stack.enter_async_context(running_service(folder, variables))
        yield Stage(service=service, mongo=mongo, token=token, limited=limited)


@asynccontextmanager
async def do_nothing(_: Stage) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def stop(stage: Stage) -> AsyncIterator[None]:
    await stage.service.stop()
    yield
    await stage.service.start()


@asynccontextmanager
async def restart(stage: Stage, *, by: int = signal.SIGTERM) -> AsyncIterator[None]:
    """Begin with the signal; the service ends and is ready again during the block."""

    async def start_again() -> None:
        await stage.service.wait_for_exit()
        await stage.service.start()

    stage.service.signal(by)
    starting = asyncio.create_task(start_again(), name="restart")
    yield
    await starting


@asynccontextmanager
async def freeze(stage: Stage) -> AsyncIterator[None]:
    stage.service.freeze()
    yield
    stage.service.thaw()


@asynccontextmanager
async def pause(stage: Stage) -> AsyncIterator[None]:
    async with AsyncClient(stage.service.target, token=stage.token.text) as client:
        await client.pause(by="ada", reason="a test")
    yield


@asynccontextmanager
async def kill_mongodb(stage: Stage) -> AsyncIterator[None]:
    stage.mongo.kill()
    yield
    await stage.mongo.start()


@asynccontextmanager
async def freeze_mongodb(stage: Stage) -> AsyncIterator[None]:
    stage.mongo.freeze()
    yield
    stage.mongo.resume()


@asynccontextmanager
async def fill_memory(stage: Stage) -> AsyncIterator[None]:
    """Fill the memory for calls: MongoDB is silent, and calls that wait for it pile up."""
    stage.mongo.freeze()
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        flood: list[asyncio.Task[None]] = []

        async def connect() -> list[Any]:
            opened = (scheduler_stub(stage.service.target) for _ in range(FLOOD_CONNECTIONS))
            return [await stack.enter_async_context(each) for each in opened]

        async def add_calls(method: str, stubs: list[Any], requests: Sequence[Message]) -> int:
            """Begin the calls; return how many wait when the last one was refused."""
            methods = cycle([getattr(each, method) for each in stubs])
            wave = [
                tasks.create_task(wait_for_end(call, each, stage))
                for call, each in zip(methods, requests, strict=False)
            ]
            flood.extend(wave)
            await until(wave[-1].done)
            return sum(not each.done() for each in wave)

        meets = [a_meet(number) for number in range(FLOOD_CALLS)]
        await add_calls("ScheduleMeet", await connect(), meets)
        readers, reads = await connect(), [task_pb2.GetJobRequest(job_id="1")] * FLOOD_CALLS
        while await add_calls("GetJob", readers, reads):
            pass
        yield
        for each in flood:
            each.cancel()
        stage.mongo.resume()


async def wait_for_end(method: Any, request: Message, stage: Stage) -> None:
    with suppress(grpc.aio.AioRpcError):
        await method(request, metadata=stage.token.bearer, timeout=FLOOD_SECONDS)


CONDITIONS: dict[str, Condition] = {
    "healthy": do_nothing,
    "paused": pause,
    "stopped": stop,
    "restarted": restart,
    "killed and restarted": partial(restart, by=signal.SIGKILL),
    "frozen": freeze,
    "out of memory for calls": fill_memory,
    "over the limit of the client": do_nothing,
    "without MongoDB": kill_mongodb,
    "with a silent MongoDB": freeze_mongodb,
}
