"""The real program as a process: start it, call it, kill it, freeze it, stop it in order."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gcsched.client import service_config
from gcsched.dev.stores.children import is_listening
from gcsched.pb import task_pb2, task_pb2_grpc
from tests.support.freeze import freeze
from tests.support.launch import Child, Launch, execute_service
from tests.support.ports import free_port
from tests.support.wait import until

if TYPE_CHECKING:  # the generated code has this name for types only
    Stub: TypeAlias = task_pb2_grpc.SchedulerAsyncStub
else:
    Stub = task_pb2_grpc.SchedulerStub

READY_WITHIN_SECONDS = 30.0
start_service: Launch = execute_service  # tests/conftest.py replaces it


@dataclass(kw_only=True, eq=False)
class ServiceProcess:
    """A process of ``python -m gcsched serve`` that logs to *log_file*."""

    environment: Mapping[str, str]
    log_file: Path
    port: int
    http_port: int = field(default_factory=free_port)
    launcher: Launch | None = None  # unset: start_service
    _process: Child | None = field(default=None, init=False)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")

    @property
    def _running(self) -> Child:
        assert self._process is not None, "start it first"
        return self._process

    async def start(self) -> None:
        """Start, and wait until its health is SERVING."""
        self.launch()
        await self.wait_ready()

    async def wait_ready(self) -> None:
        async with asyncio.timeout(READY_WITHIN_SECONDS):
            while not (is_listening(self.port) and await is_serving(self.target)):
                if (code := self._running.poll()) is not None:
                    raise AssertionError(f"ended with {code}:\n{self.log}")
                await asyncio.sleep(0.02)

    async def wait_for_event(self, event: str) -> None:
        """Wait until it has logged *event*; on a shared port health may be another process's."""
        async with asyncio.timeout(READY_WITHIN_SECONDS):
            while f'"{event}"' not in self.log:
                assert self._running.poll() is None, self.log
                await asyncio.sleep(0.02)

    def launch(self) -> None:
        """Start without waiting."""
        listen = {
            "GCSCHED_GRPC_LISTEN": self.target,
            "GCSCHED_HTTP_LISTEN": f"127.0.0.1:{self.http_port}",
        }
        environment = {**os.environ, **self.environment, **listen}
        self._process = (self.launcher or start_service)(environment, self.log_file)

    def signal(self, number: int) -> None:
        code = self._running.poll()
        assert code is None, f"it has ended with {code}:\n{self.log[-2000:]}"
        self._running.send_signal(number)

    def freeze(self) -> None:
        freeze(self.pid)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    async def kill(self) -> None:
        """Send SIGKILL, and wait until it is gone."""
        self._running.send_signal(signal.SIGKILL)
        await self.wait_for_exit()

    async def stop(self, *, within: float = 40.0) -> int:
        """Send SIGTERM, and return the exit code."""
        self.signal(signal.SIGTERM)
        return await self.wait_for_exit(within=within)

    async def wait_for_exit(self, *, within: float = 30.0) -> int:
        """Wait until it has ended; return the exit code."""
        await until(lambda: self._running.poll() is not None, within=within)
        code = self._running.poll()
        assert code is not None
        return code

    async def kill_if_running(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGCONT)
            await self.kill()


async def is_serving(target: str, credentials: grpc.ChannelCredentials | None = None) -> bool:
    """Return whether the health service at *target* answers SERVING."""
    opened = (
        grpc.aio.insecure_channel(target)
        if credentials is None
        else grpc.aio.secure_channel(target, credentials)
    )
    async with opened as channel:
        health = health_pb2_grpc.HealthStub(channel)
        try:
            reply = await health.Check(health_pb2.HealthCheckRequest(), timeout=1)
        except grpc.aio.AioRpcError:
            return False
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


def environment(*, mongo: str, redis: str, relay_port: int, **others: str) -> dict[str, str]:
    """Return the settings of a service on these stores; *others* have lower-case names."""
    return {
        "GCSCHED_MONGO_URI": mongo,
        "GCSCHED_REDIS_URL": redis,
        "GCSCHED_SMTP_HOST": "127.0.0.1",
        "GCSCHED_SMTP_PORT": str(relay_port),
        "GCSCHED_SMTP_SECURITY": "none",
        "GCSCHED_SENDER_EMAIL": "no-reply@example.org",
        "GCSCHED_LOG_FORMAT": "json",
        **{f"GCSCHED_{name.upper()}": value for name, value in others.items()},
    }


@asynccontextmanager
async def running_service(
    folder: Path, settings: Mapping[str, str], *, name: str = "service"
) -> AsyncIterator[ServiceProcess]:
    """Run a service for a block, and kill it if it still runs at the end."""
    process = ServiceProcess(
        environment=settings, log_file=folder / f"{name}.log", port=free_port()
    )
    try:
        await process.start()
        yield process
    finally:
        await process.kill_if_running()


@asynccontextmanager
async def scheduler_stub(target: str) -> AsyncIterator[Stub]:
    """Open a separate channel to *target*."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        yield task_pb2_grpc.SchedulerStub(channel)


@asynccontextmanager
async def stub_with_service_config(target: str) -> AsyncIterator[Stub]:
    """Open a channel with the published service config and no other option of gcsched's client."""
    options = [
        ("grpc.service_config", service_config().read_text(encoding="utf-8")),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        yield task_pb2_grpc.SchedulerStub(channel)


def a_meet(number: int = 1, *, timestamp: int = 1672531200, **fields: Any) -> task_pb2.MeetRequest:
    """Return a request as existing clients send it; each number has its own recipient."""
    values: dict[str, Any] = {
        "empid": f"EMP{number:06d}",
        "emailID": f"{number}-{timestamp}@bench.test",
        "message": f"Scheduled chat number {number}",
        "empName": f"Person {number}",
        **fields,
    }
    return task_pb2.MeetRequest(timestamp=timestamp, **values)
