"""The load generator: concurrent callers that stop between two calls, and what they saw."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from gcsched.bench.failure import BenchFailed
from gcsched.bench.progress import Progress
from gcsched.bench.scenario import BATCH_SIZE
from gcsched.bench.system import System
from gcsched.client import CallFailed
from gcsched.pb import task_pb2

CALL_SECONDS = 60.0
DRAIN_SECONDS = 10.0
OVERLOAD_CODES = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "CANCELLED"}
MIX = ("schedule",) * 7 + ("read", "read", "cancel")
"""What ten calls of the mixed load are."""

DueTime = Callable[[int], float]


@dataclass(kw_only=True)
class Load:
    """The callers of one run; *run* is in each employee id and address, so it finds its jobs."""

    system: System
    run: str
    domain: str
    progress: Progress
    due_times: dict[str, int] = field(default_factory=dict)
    employees: set[str] = field(default_factory=set)
    failures: Counter[str] = field(default_factory=Counter)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _is_stopping: bool = False

    async def schedule(
        self, count: int, concurrency: int, due: DueTime, *, per_second: float = 0.0
    ) -> list[float]:
        """Schedule *count* jobs, job i due at due(i); return the seconds that each call took.

        With *per_second* each call waits for its turn.
        """
        seconds: list[float] = []
        jobs, started = iter(range(count)), time.monotonic()

        async def call() -> None:
            for i in self._until_stopped(jobs):
                if per_second:
                    await asyncio.sleep(max(0.0, started + i / per_second - time.monotonic()))
                await self._call(seconds, "ScheduleMeet", self._request(due(i)))

        await self._run_callers(call() for _ in range(concurrency))
        return seconds

    async def schedule_batches(self, count: int, concurrency: int, due: DueTime) -> list[float]:
        """Schedule *count* jobs in batches; return the seconds that each batch took."""
        seconds: list[float] = []
        starts = iter(range(0, count, BATCH_SIZE))

        async def call() -> None:
            for first in self._until_stopped(starts):
                numbers = range(first, min(first + BATCH_SIZE, count))
                requests = [self._request(due(i)) for i in numbers]
                batch = task_pb2.BatchScheduleMeetsRequest(requests=requests)
                await self._call(seconds, "BatchScheduleMeets", batch, jobs=len(requests))

        await self._run_callers(call() for _ in range(concurrency))
        return seconds

    async def mix(self, count: int, concurrency: int, due: DueTime) -> dict[str, list[float]]:
        """Make *count* calls of the mix; return the seconds that those of each kind took."""
        seconds: dict[str, list[float]] = {name: [] for name in dict.fromkeys(MIX)}
        turns, known = iter(range(count)), list[str]()

        async def call() -> None:
            for i in self._until_stopped(turns):
                kind = MIX[i % len(MIX)] if known else "schedule"
                if kind == "read":
                    request = task_pb2.GetJobRequest(job_id=known[i % len(known)])
                    await self._call(seconds[kind], "GetJob", request)
                elif kind == "cancel":
                    await self._call(
                        seconds[kind], "CancelJob", task_pb2.CancelJobRequest(job_id=known.pop())
                    )
                else:
                    reply = await self._call(seconds[kind], "ScheduleMeet", self._request(due(i)))
                    known.extend([reply.job_id] if reply else [])

        await self._run_callers(call() for _ in range(concurrency))
        return seconds

    def _until_stopped(self, turns: Iterator[int]) -> Iterator[int]:
        while not self._is_stopping and (turn := next(turns, None)) is not None:
            yield turn

    def _request(self, due: float) -> task_pb2.MeetRequest:
        number, when = next(self._numbers), int(due)
        employee = number % self.system.employees if self.system.employees else number
        empid, email = f"bench-{self.run}-{employee}", f"{self.run}-{number}@{self.domain}"
        self.employees.add(empid)
        self.due_times[email] = when
        return task_pb2.MeetRequest(
            empid=empid,
            emailID=email,
            message=f"Load test, mail {number}",
            empName=f"Person {number}",
            timestamp=when,
        )

    async def _call(self, seconds: list[float], method: str, request: Any, *, jobs: int = 1) -> Any:
        """Make a call; return None, and count the failure, if the service is overloaded."""
        client = self.system.clients[len(seconds) % len(self.system.clients)]
        started = time.perf_counter()
        try:
            reply = await client.call(method, request, timeout=CALL_SECONDS)
        except CallFailed as error:
            if error.code not in OVERLOAD_CODES:
                raise
            self.failures[error.code] += 1
            return None
        seconds.append(time.perf_counter() - started)
        check_accepted(reply)
        self.progress.done += jobs
        return reply

    async def _run_callers(self, callers: Iterable[Coroutine[Any, Any, None]]) -> None:
        """Run *callers* to their end. If this is cancelled, calls under way are still answered.

        So no call can store a job after the jobs of the run were cancelled.
        """
        tasks = [asyncio.create_task(each) for each in callers]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            await self._drain(tasks)
        for task in tasks:
            task.result()

    async def _drain(self, tasks: Sequence["asyncio.Task[None]"]) -> None:
        if all(task.done() for task in tasks):
            return
        self._is_stopping = True
        _, late = await asyncio.wait(tasks, timeout=DRAIN_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def check_accepted(reply: Any) -> None:
    """Raise BenchFailed if the service refused a request that it answered."""
    if isinstance(reply, task_pb2.BatchScheduleMeetsResponse):
        for answer in reply.answers:
            if answer.HasField("error"):
                raise BenchFailed(f"the service refused a request: {answer.error.message}")
            check_accepted(answer.response)
    elif isinstance(reply, task_pb2.MeetResponse) and not reply.success:
        raise BenchFailed(
            "the service refused a request as a duplicate: it runs with GCSCHED_DEDUP=employee;"
            " measure one with GCSCHED_DEDUP=content"
        )
