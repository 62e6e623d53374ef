"""Callers that schedule, cancel and suppress at once, on several services that come and go."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random
from typing import Any

import grpc

from gcsched.pb import task_pb2
from tests.support.relay.script import repeatable
from tests.support.service_process import Stub, a_meet, stub_with_service_config

CALL_TIMEOUT_SECONDS = 5.0
RETRY_INTERVAL_SECONDS = 0.2
RETRYABLE_CODES = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}
BULK_SIZE = 10
# The kinds of requests, with their percentages.
REQUEST_WEIGHTS = {
    "now": 35,
    "soon": 30,
    "daily": 10,
    "cancel": 15,
    "bulk cancel": 5,
    "suppress": 5,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """The answer to a caller, OK or a status code, and when it came."""

    recipient: str
    requested: str
    answer: str
    at: float


@dataclass(kw_only=True, eq=False)
class MixedCallers:
    """Schedules *per_second* mails at *targets*, then cancels or suppresses some of them."""

    targets: Sequence[str]
    seed: int
    per_second: float
    due: dict[str, int] = field(default_factory=dict, init=False)
    accepted: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set), init=False)
    codes: Counter[str] = field(default_factory=Counter, init=False)
    error_details: dict[str, str] = field(default_factory=dict, init=False)
    results: list[CallResult] = field(default_factory=list, init=False)
    _stubs: list[Stub] = field(default_factory=list, init=False)
    _chance: Random = field(init=False)

    async def run(self, *, seconds: float) -> None:
        """Call for *seconds*; return when each caller has an answer and the daily queue was run."""
        self._chance = repeatable(f"crowd {self.seed}")
        start = time.monotonic()
        async with AsyncExitStack() as stack:
            self._stubs = [
                await stack.enter_async_context(stub_with_service_config(each))
                for each in self.targets
            ]
            async with asyncio.TaskGroup() as tasks:
                for number in range(round(seconds * self.per_second)):
                    [kind] = self._chance.choices(
                        list(REQUEST_WEIGHTS), list(REQUEST_WEIGHTS.values())
                    )
                    tasks.create_task(self._perform(kind, number))
                    await asyncio.sleep(start + (number + 1) / self.per_second - time.monotonic())
            empty = task_pb2.RunDailyQueueRequest()
            await self._call_until_answered(
                lambda stub: stub.RunDailyQueue(empty, timeout=CALL_TIMEOUT_SECONDS)
            )

    async def _perform(self, kind: str, number: int) -> None:
        soon, lag = self._chance.uniform(2, 6), self._chance.uniform(-1.5, 0.5)
        at = time.time() + soon
        match kind:
            case "now":
                await self._schedule(a_meet(number, timestamp=int(time.time()) - 1))
            case "soon":
                await self._schedule(a_meet(number, timestamp=int(at)))
            case "daily":
                meet = a_meet(number, timestamp=0, emailID=f"{number}-daily@bench.test")
                await self._schedule(meet)
            case "cancel":
                job_id = await self._schedule(meet := a_meet(number, timestamp=int(at)))
                await asyncio.sleep(max(0.0, at + lag - time.time()))
                cancel = task_pb2.CancelJobRequest(job_id=job_id, reason="changed my mind")
                answer = await self._call_until_answered(
                    lambda s: s.CancelJob(cancel, timeout=CALL_TIMEOUT_SECONDS)
                )
                self._record_result(meet.emailID, kind, answer)
            case "bulk cancel":
                await self._cancel_in_bulk(number, at=at, lag=lag)
            case "suppress":
                await self._schedule(meet := a_meet(number, timestamp=int(at)))
                await asyncio.sleep(max(0.0, at + lag - time.time()))
                suppress = task_pb2.AddSuppressionRequest(email=meet.emailID, reason="on request")
                answer = await self._call_until_answered(
                    lambda s: s.AddSuppression(suppress, timeout=CALL_TIMEOUT_SECONDS)
                )
                self._record_result(meet.emailID, kind, answer)

    async def _cancel_in_bulk(self, number: int, *, at: float, lag: float) -> None:
        meets = [
            a_meet(
                number, timestamp=int(at), empid=f"BULK-{number}", emailID=f"{number}.{n}@bulk.test"
            )
            for n in range(BULK_SIZE)
        ]
        await asyncio.gather(*map(self._schedule, meets))
        await asyncio.sleep(max(0.0, at + lag - time.time()))
        bulk = task_pb2.ChangeJobsRequest(filter=task_pb2.JobFilter(empid=f"BULK-{number}"))
        answer = await self._call_until_answered(
            lambda stub: stub.CancelJobs(bulk, timeout=CALL_TIMEOUT_SECONDS)
        )
        for meet in meets:
            self._record_result(meet.emailID, "bulk cancel", answer)

    async def _schedule(self, meet: task_pb2.MeetRequest) -> str:
        """Call until the request is accepted; return the job's id."""
        self.due[meet.emailID] = meet.timestamp
        replies: list[task_pb2.MeetResponse] = []

        async def schedule(stub: Stub) -> None:
            replies.append(await stub.ScheduleMeet(meet, timeout=CALL_TIMEOUT_SECONDS))

        answer = await self._call_until_answered(schedule)
        if answer != "OK":
            return ""
        self.accepted[meet.emailID].add(replies[-1].job_id)
        return str(replies[-1].job_id)

    async def _call_until_answered(self, call: Callable[[Stub], Awaitable[Any]]) -> str:
        """Call the services in turn until one accepts or refuses; return the status code."""
        turn = self._chance.randrange(len(self._stubs))
        while True:
            try:
                await call(self._stubs[turn % len(self._stubs)])
            except grpc.aio.AioRpcError as error:
                code = error.code().name
                self.error_details[code] = error.details() or ""
            else:
                code = "OK"
            self.codes[code] += 1
            if code not in RETRYABLE_CODES:
                return code
            turn += 1
            await asyncio.sleep(RETRY_INTERVAL_SECONDS)

    def _record_result(self, recipient: str, kind: str, answer: str) -> None:
        self.results.append(
            CallResult(recipient=recipient, requested=kind, answer=answer, at=time.time())
        )
