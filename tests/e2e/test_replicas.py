"""Several processes as one service: no call fails while one of them stops."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.scenarios.cluster import time_call
from tests.support.ports import free_port
from tests.support.service_process import (
    ServiceProcess,
    Stub,
    a_meet,
    environment,
    stub_with_service_config,
)
from tests.support.wait import until

PER_SECOND = 60


@asynccontextmanager
async def run_on_ports(
    folder: Path, settings: dict[str, str], ports: Sequence[int]
) -> AsyncIterator[list[ServiceProcess]]:
    """Run a service on each of *ports*, which may be equal."""
    services = [
        ServiceProcess(environment=settings, log_file=folder / f"service-{number}.log", port=port)
        for number, port in enumerate(ports)
    ]
    try:
        for each in services:
            each.launch()
            await each.wait_for_event("serving")
        yield services
    finally:
        for each in services:
            await each.kill_if_running()


@dataclass(kw_only=True)
class CallStream:
    """Calls at an even rate over *stubs* in turn, and the status code of each."""

    stubs: Sequence[Stub]
    codes: list[str] = field(default_factory=list)

    async def run(self, stop: asyncio.Event) -> None:
        clock = asyncio.get_running_loop().time
        started = clock()
        async with asyncio.TaskGroup() as tasks:
            number = 0
            while not stop.is_set():
                tasks.create_task(self._call(number))
                number += 1
                await asyncio.sleep(max(0.0, started + number / PER_SECOND - clock()))

    async def _call(self, number: int) -> None:
        stub = self.stubs[number % len(self.stubs)]
        call = await time_call(stub, a_meet(number, timestamp=0))
        self.codes.append(call.code)

    async def wait_for_calls(self, count: int) -> None:
        """Wait until *count* more calls have returned."""
        expected = len(self.codes) + count
        await until(lambda: len(self.codes) >= expected, within=30)


@asynccontextmanager
async def run_calls(stubs: Sequence[Stub]) -> AsyncIterator[CallStream]:
    stream, stop = CallStream(stubs=stubs), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(stream.run(stop))
        try:
            yield stream
        finally:
            stop.set()


def count_connections(service: ServiceProcess) -> int:
    """Count the clients that are connected to *service*."""
    found = psutil.Process(service.pid).net_connections(kind="tcp")
    return sum(
        each.status == psutil.CONN_ESTABLISHED and each.laddr.port == service.port for each in found
    )


async def wait_for_client(service: ServiceProcess) -> None:
    """Wait until a client has reconnected; to stop the next replica earlier would leave it none."""
    await until(lambda: count_connections(service), within=30)


async def test_processes_that_share_a_port_share_the_calls_also_while_one_stops(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=9, reuse_port="1")
    port = free_port()
    async with (
        run_on_ports(tmp_path, settings, [port, port]) as services,
        AsyncExitStack() as stack,
    ):
        target = services[0].target
        stubs = [
            await stack.enter_async_context(stub_with_service_config(target)) for _ in range(40)
        ]
        async with run_calls(stubs) as stream:
            await stream.wait_for_calls(2 * len(stubs))
            shares = [count_connections(each) for each in services]
            code = await services[0].stop()
            await stream.wait_for_calls(3 * len(stubs))

    assert min(shares) > 0
    assert sum(shares) == len(stubs)
    assert code == 0
    assert set(stream.codes) == {"OK"}


async def test_a_rolling_restart_of_two_replicas_fails_no_call(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=9)
    ports = [free_port(), free_port()]
    async with run_on_ports(tmp_path, settings, ports) as services:
        target = "ipv4:" + ",".join(each.target for each in services)
        async with stub_with_service_config(target) as stub, run_calls([stub]) as stream:
            exits = []
            for each in services:
                await stream.wait_for_calls(PER_SECOND)
                exits.append(await each.stop())
                await stream.wait_for_calls(PER_SECOND)
                await each.start()
                await wait_for_client(each)
            await stream.wait_for_calls(PER_SECOND)

    assert exits == [0, 0]
    assert set(stream.codes) == {"OK"}


async def test_a_process_that_does_not_share_its_port_cannot_listen_on_a_shared_one(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=9)
    sharing = settings | {"GCSCHED_REUSE_PORT": "1"}
    async with run_on_ports(tmp_path, sharing, [free_port()]) as [first]:
        second = ServiceProcess(
            environment=settings, log_file=tmp_path / "second.log", port=first.port
        )

        second.launch()

        assert await second.wait_for_exit() == 1
        assert "cannot listen on" in second.log
