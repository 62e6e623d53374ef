"""A service with stores and a sink of its own, in a folder that goes with it."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gcsched.bench.cpu import split_cores
from gcsched.bench.scenario import Scenario
from gcsched.bench.system import CLIENTS, EmbeddedSystem, NewClient
from gcsched.client import AsyncClient, Health
from gcsched.dev.stores.children import ChildProcess, free_port, is_listening
from gcsched.dev.stores.machine import ensure_supported_system
from gcsched.dev.stores.mongod import MongodOptions, run_mongod
from gcsched.dev.stores.valkey import ValkeyOptions, run_valkey

SIZE_FLAGS = ("--oplogSize", "256", "--wiredTigerCacheSizeGB", "1")
READY_SECONDS = 30.0
SPEED_SETTINGS = (
    "GCSCHED_SMTP_SESSIONS",
    "GCSCHED_SMTP_SESSIONS_PER_DOMAIN",
    "GCSCHED_SMTP_RATE",
    "GCSCHED_SMTP_BURST",
    "GCSCHED_WORKER_JOBS",
    "GCSCHED_ADMISSION_WAITING",
    "GCSCHED_CALL_MEMORY_MB",
)
"""The settings of the environment that the service of a load test keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAddresses:
    mongo_uri: str
    redis_url: str


def service_environment(
    environ: Mapping[str, str], stores: StoreAddresses, *, smtp_port: int, grpc_port: int
) -> dict[str, str]:
    """Return the variables of the service; those of *environ* that may mail or refuse are empty."""
    cleared = {name: "" for name in environ if name.startswith("GCSCHED_")}
    kept = {name: environ[name] for name in SPEED_SETTINGS if environ.get(name)}
    own = {
        "GCSCHED_MONGO_URI": stores.mongo_uri,
        "GCSCHED_REDIS_URL": stores.redis_url,
        "GCSCHED_SMTP_HOST": "127.0.0.1",
        "GCSCHED_SMTP_PORT": str(smtp_port),
        "GCSCHED_SMTP_SECURITY": "none",
        "GCSCHED_SENDER_EMAIL": "no-reply@example.org",
        "GCSCHED_GRPC_LISTEN": f"127.0.0.1:{grpc_port}",
        "GCSCHED_HTTP_LISTEN": f"127.0.0.1:{free_port()}",
        "GCSCHED_LOG_LEVEL": "WARNING",
    }
    return {**cleared, **kept, **own}


@asynccontextmanager
async def run_embedded(
    scenario: Scenario, new_client: NewClient, environ: Mapping[str, str]
) -> AsyncIterator[EmbeddedSystem]:
    """Run everything that *scenario* needs until the block ends; then nothing of it is left.

    Raises EmbeddedStoreProblem if a part does not start.
    """
    ensure_supported_system()
    async with AsyncExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="gcsched-bench-"))
        folder = Path(name)
        valkey_options = ValkeyOptions(port=0)
        valkey = await stack.enter_async_context(run_valkey(folder / "valkey", valkey_options))
        mongod_options = MongodOptions(size_flags=SIZE_FLAGS)
        mongod = await stack.enter_async_context(run_mongod(folder / "mongo", mongod_options))
        smtp_port, grpc_port = free_port(), free_port()
        sink = make_sink(folder, smtp_port, scenario.reply_delay)
        await start(stack, sink, smtp_port)
        stores = StoreAddresses(mongo_uri=mongod.uri, redis_url=valkey.url)
        variables = service_environment(environ, stores, smtp_port=smtp_port, grpc_port=grpc_port)
        service = make_service(folder, variables)
        await start(stack, service, grpc_port)
        clients = [new_client(f"127.0.0.1:{grpc_port}") for _ in range(CLIENTS)]
        for client in clients:
            await stack.enter_async_context(client)
        await wait_until_serving(clients[0])
        others = {"mongod": mongod.pid, "valkey": valkey.pid, "relay": sink.pid}
        yield EmbeddedSystem(
            clients=clients,
            processes={"gcsched": service.pid, **others},
            ledger=folder / "ledger",
            is_pinned=stack.enter_context(split_cores(service.pid, others)),
        )


def make_sink(folder: Path, port: int, reply_delay: float) -> ChildProcess:
    arguments = [str(port), str(folder / "ledger"), "--reply-delay", str(reply_delay)]
    return ChildProcess(
        name="sink",
        command=[sys.executable, "-m", "gcsched.bench.sink", *arguments],
        log=folder / "sink.log",
    )


def make_service(folder: Path, variables: Mapping[str, str]) -> ChildProcess:
    return ChildProcess(
        name="gcsched",
        command=[sys.executable, "-m", "gcsched", "serve"],
        log=folder / "service.log",
        environment=variables,
    )


async def start(stack: AsyncExitStack, child: ChildProcess, port: int) -> None:
    """Start *child*, and wait until it listens; it has nothing to keep, so *stack* kills it."""
    stack.callback(child.kill)
    child.launch()
    await asyncio.to_thread(child.wait_for, partial(is_listening, port))


async def wait_until_serving(client: AsyncClient) -> None:
    async with asyncio.timeout(READY_SECONDS):
        async for state in client.watch_health():
            if state == Health.SERVING:
                return


def list_speed_settings(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the settings that were kept for the service."""
    return {name: environ[name] for name in SPEED_SETTINGS if environ.get(name)}
