"""Many callers at both clients while services restart: lost calls, and what stays behind."""

import asyncio
import gc
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import psutil

from gcsched.client import TIMEOUT_SECONDS, AsyncClient, CallFailed, Client, Health, ScheduledJob
from tests.support.wait import until

DUE = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
WITHIN_SECONDS = 60.0


@dataclass(kw_only=True, eq=False)
class ManyCallers:
    """Keeps *tasks* calls of one AsyncClient and *threads* calls of one Client under way.

    Each call schedules a mail to an employee of its own. Both clients watch the health as well.
    """

    target: str
    tasks: int = 1_000
    threads: int = 8
    timeout: float = TIMEOUT_SECONDS  # of each call
    jobs: dict[str, str] = field(default_factory=dict, init=False)
    """The id that the call for each employee was answered with."""
    failures: list[str] = field(default_factory=list, init=False)
    seconds: list[float] = field(default_factory=list, init=False)
    health: list[Health] = field(default_factory=list, init=False)
    _answers: Counter[str] = field(default_factory=Counter, init=False)
    _is_over: bool = field(default=False, init=False)

    async def call_during(self, act: Callable[[], Awaitable[None]]) -> None:
        """Call from before *act* until after it; return when each call and watch has ended."""
        with Client(self.target, timeout=self.timeout) as client:
            threads = [
                threading.Thread(target=self._call_blocking, args=(client, f"B{number}"))
                for number in range(self.threads)
            ]
            watch = threading.Thread(target=self._watch_blocking, args=(client,))
            for each in (*threads, watch):
                each.start()
            async with AsyncClient(self.target, timeout=self.timeout) as async_client:
                watching = asyncio.create_task(self._watch_async(async_client))
                await self._call_async_during(async_client, act)
                await wait_for_end(threads)
            await watching
        await wait_for_end([watch])

    async def _call_async_during(
        self, client: AsyncClient, act: Callable[[], Awaitable[None]]
    ) -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(self.tasks):
                tasks.create_task(self._call_async(client, f"A{number}"))
            try:
                await self._wait_for_answers()
                await act()
                await self._wait_for_answers()
            finally:
                self._is_over = True

    async def _wait_for_answers(self) -> None:
        """Wait until each caller has an answer that it has not now."""
        before = self._answers.copy()
        count = self.tasks + self.threads
        await until(lambda: len(self._answers - before) == count, within=WITHIN_SECONDS)

    async def _call_async(self, client: AsyncClient, caller: str) -> None:
        for number in self._numbers():
            start, request = time.monotonic(), a_request(f"{caller}-{number}")
            try:
                job = await client.schedule(**request)
            except CallFailed as error:
                self._fail(caller, error)
            else:
                self._succeed(caller, request["empid"], job, start)

    def _call_blocking(self, client: Client, caller: str) -> None:
        for number in self._numbers():
            start, request = time.monotonic(), a_request(f"{caller}-{number}")
            try:
                job = client.schedule(**request)
            except CallFailed as error:
                self._fail(caller, error)
            else:
                self._succeed(caller, request["empid"], job, start)

    def _numbers(self) -> Iterator[int]:
        number = 0
        while not self._is_over:
            yield number
            number += 1

    def _succeed(self, caller: str, empid: str, job: ScheduledJob, start: float) -> None:
        self.jobs[empid] = job.job_id
        self.seconds.append(time.monotonic() - start)
        self._answers[caller] += 1

    def _fail(self, caller: str, error: CallFailed) -> None:
        self.failures.append(f"{caller}: {type(error).__name__}: {error}")
        self._answers[caller] += 1

    async def _watch_async(self, client: AsyncClient) -> None:
        self.health += [health async for health in client.watch_health()]

    def _watch_blocking(self, client: Client) -> None:
        self.health += list(client.watch_health())


def a_request(empid: str) -> dict[str, Any]:
    return {"empid": empid, "email": f"{empid}@example.org", "message": "Lunch", "at": DUE}


async def wait_for_end(threads: Collection[threading.Thread]) -> None:
    await until(lambda: not any(each.is_alive() for each in threads), within=WITHIN_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What clients use: tasks of the loop, threads of Python, channels, connections to *ports*."""

    tasks: int
    threads: int
    channels: int
    connections: int


def count_resources(ports: Collection[int]) -> Resources:
    gc.collect()
    kinds = (grpc.Channel, grpc.aio.Channel)  # by type: `isinstance` follows dead weak proxies
    return Resources(
        tasks=len(asyncio.all_tasks()),
        threads=threading.active_count(),
        channels=sum(issubclass(each, kinds) for each in map(type, gc.get_objects())),
        connections=count_connections(ports),
    )


async def count_settled_resources(ports: Collection[int]) -> Resources:
    """Return the count once no connection to *ports* is left, as before a client is opened."""
    await until(lambda: count_connections(ports) == 0)
    return count_resources(ports)


async def find_leaks(ports: Collection[int], before: Resources) -> list[str]:
    """Wait for what ends a moment later; return what is there more than *before*.

    There may be less: what an earlier test left behind can end at any time.
    """
    now = before

    def is_released() -> bool:
        nonlocal now
        now = count_resources(ports)
        return all(getattr(now, each) <= getattr(before, each) for each in Resources.__slots__)

    try:
        await until(is_released)
    except AssertionError:
        return [f"before {before}, afterwards {now}"]
    return []


def count_connections(ports: Collection[int]) -> int:
    """Count the connections of this process to servers at *ports*."""
    opened = psutil.Process().net_connections("tcp")
    return sum(bool(each.raddr) and each.raddr.port in ports for each in opened)


async def call_each_once(target: str) -> None:
    """Open both clients, call with each, and close them."""
    async with AsyncClient(target) as async_client:
        await anext(async_client.list_templates(), None)
    with Client(target) as client:
        await asyncio.to_thread(lambda: next(client.list_templates(), None))
