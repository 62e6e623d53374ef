"""Callers that repeat each call until a service accepts it, whatever fails."""

import asyncio
import itertools
import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import grpc

from gcsched.pb import task_pb2
from tests.support.relay.script import repeatable
from tests.support.service_process import Stub, a_meet, stub_with_service_config

CALL_TIMEOUT_SECONDS = 5.0
FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS = 0.2, 4.0


@dataclass(kw_only=True, eq=False)
class Callers:
    """Schedules *per_second* mails at *targets*, each due within some seconds."""

    targets: Sequence[str]
    seed: int
    per_second: float
    latest_due_seconds: float = 20.0
    # The due times of all requests, by recipient.
    due: dict[str, int] = field(default_factory=dict, init=False)
    accepted: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set), init=False)
    codes: Counter[str] = field(default_factory=Counter, init=False)
    # The latest details by status code.
    error_details: dict[str, str] = field(default_factory=dict, init=False)
    # Recipients whose callers never had an OK.
    unanswered: set[str] = field(default_factory=set, init=False)
    _deadline: float = field(default=math.inf, init=False)

    async def call(self, count: int, *, faults_over: asyncio.Event, max_wait: float) -> None:
        """Schedule *count* mails, however slow this machine is.

        A caller without an OK when *faults_over* is set goes on for at most *max_wait* seconds.
        """
        await self._call(range(count), faults_over, max_wait)

    async def call_until(self, stop: asyncio.Event, *, max_wait: float) -> None:
        """Schedule mails until *stop*; callers without an OK go on for at most *max_wait*."""
        numbers = itertools.takewhile(lambda _: not stop.is_set(), itertools.count())
        await self._call(numbers, stop, max_wait)

    async def _call(self, numbers: Iterable[int], over: asyncio.Event, max_wait: float) -> None:
        chance = repeatable(f"callers {self.seed}")
        start = time.monotonic()
        async with AsyncExitStack() as stack:
            stubs = [
                await stack.enter_async_context(stub_with_service_config(each))
                for each in self.targets
            ]
            async with asyncio.TaskGroup() as tasks:
                for number in numbers:
                    due = int(time.time() + chance.uniform(-1.0, self.latest_due_seconds))
                    turn = [*stubs[number % len(stubs) :], *stubs[: number % len(stubs)]]
                    tasks.create_task(self._schedule(a_meet(number, timestamp=due), turn))
                    next_at = start + (number + 1) / self.per_second
                    await asyncio.sleep(next_at - time.monotonic())
                await over.wait()
                self._deadline = time.monotonic() + max_wait

    async def _schedule(self, request: task_pb2.MeetRequest, stubs: Sequence[Stub]) -> None:
        self.due[request.emailID] = request.timestamp
        tries, wait = 0, FIRST_WAIT_SECONDS
        while time.monotonic() < self._deadline:
            stub = stubs[tries % len(stubs)]
            tries += 1
            try:
                reply = await stub.ScheduleMeet(request, timeout=CALL_TIMEOUT_SECONDS)
            except grpc.aio.AioRpcError as error:
                self.codes[error.code().name] += 1
                self.error_details[error.code().name] = error.details() or ""
                await asyncio.sleep(wait)
                wait = min(wait * 2, MAX_WAIT_SECONDS)
            else:
                self.codes["OK"] += 1
                self.accepted[request.emailID].add(reply.job_id)
                return
        self.unanswered.add(request.emailID)
