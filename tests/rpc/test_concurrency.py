"""Calls that read or change jobs wait for each other, with limits; invitations wait for none."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from structlog.testing import capture_logs

from gcsched.errors import Overloaded, StoreUnavailable
from gcsched.pb import task_pb2
from gcsched.rpc.concurrency import CallLimiter, CallLimits
from gcsched.rpc.servicer import SchedulerServicer
from tests.support.handler_server import read_error_status, serve_servicer
from tests.support.handlers import METHOD_NAMES, handlers_of
from tests.support.service_process import scheduler_stub

SOON = timedelta(seconds=10)
METHODS_BY_LIMITER = {
    "reading": {
        "GetJob",
        "CountJobs",
        "ListSuppressions",
        "GetSuppression",
        "GetRecipient",
        "GetMeeting",
        "GetMeetingCalendar",
        "ListAudit",
    },
    "listing": {"ListJobs", "ListMeetings"},
    "changing_meetings": {
        *("CreateMeeting", "UpdateMeeting", "CancelMeeting", "AddAttendees", "RemoveAttendees"),
    },
    "changing": {
        *("CancelJob", "RescheduleJob", "RetryJob", "ResolveJob"),
        *("AddSuppression", "RemoveSuppression"),
    },
    "changing_many": {"CancelJobs", "RetryJobs", "RunDailyQueue", "ForgetRecipient"},
}


class BlockedReads:
    """Answers GetJob once it is released, and ScheduleMeet at once."""

    def __init__(self) -> None:
        self.waiting = 0
        self.release = asyncio.Event()
        self.handlers = SimpleNamespace(GetJob=self.get_job, ScheduleMeet=self.schedule_meet)

    async def get_job(self, request: task_pb2.GetJobRequest, _: object) -> task_pb2.Job:
        self.waiting += 1
        await self.release.wait()
        return task_pb2.Job(job_id=request.job_id)

    async def schedule_meet(self, *_: object) -> task_pb2.MeetResponse:
        return task_pb2.MeetResponse(success=True)


async def test_only_so_many_calls_work_and_the_others_get_their_turn() -> None:
    limiter, at_work, most = CallLimiter(max_concurrent=2, max_waiting=10), 0, 0

    async def work() -> None:
        nonlocal at_work, most
        async with limiter.slot(SOON):
            at_work += 1
            most = max(most, at_work)
            await asyncio.sleep(0)
            at_work -= 1

    await asyncio.gather(*(work() for _ in range(12)))

    assert most == 2


async def test_a_caller_that_gives_up_leaves_its_slot_to_others() -> None:
    limiter = CallLimiter(max_concurrent=1, max_waiting=1)
    async with limiter.slot(SOON):
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await limiter.slot(timedelta(milliseconds=1)).__aenter__()
        waiting = asyncio.create_task(limiter.slot(SOON).__aenter__())
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await limiter.slot(SOON).__aenter__()
        waiting.cancel()
        await asyncio.wait([waiting])
        with pytest.raises(StoreUnavailable):
            await limiter.slot(timedelta(milliseconds=1)).__aenter__()


async def test_a_flood_of_reads_is_refused_with_a_retry_delay_and_invitations_pass_it() -> None:
    busy = BlockedReads()
    limits = CallLimits(reading=CallLimiter(max_concurrent=2, max_waiting=3))
    servicer = SchedulerServicer(handlers_of(busy.handlers), limits)
    request = task_pb2.GetJobRequest(job_id="job-1")
    async with serve_servicer(servicer) as target, scheduler_stub(target) as stub:
        calls = [asyncio.ensure_future(stub.GetJob(request, timeout=20)) for _ in range(6)]

        done, waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        refusal = await read_error_status(done.pop())
        reply = await stub.ScheduleMeet(task_pb2.MeetRequest(), timeout=5)
        at_work = busy.waiting
        busy.release.set()

        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "OVERLOADED",
        )
        assert reply.success
        assert at_work == 2
        assert [(await call).job_id for call in waiting] == ["job-1"] * 5


FULL_LIMITER = CallLimiter(max_concurrent=0, max_waiting=0)


class EveryMethod:
    """Answers every method with an empty reply, and records the names of the calls."""

    def __init__(self) -> None:
        self.called: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method = task_pb2.DESCRIPTOR.services_by_name["Scheduler"].methods_by_name[name]

        async def answer(*_: object) -> Message:
            self.called.append(name)
            return GetMessageClass(method.output_type)()

        return answer


@pytest.mark.parametrize("full", METHODS_BY_LIMITER)
async def test_each_method_has_its_handler_and_limiter(full: str) -> None:
    every, waiting = EveryMethod(), []
    limits = replace(CallLimits(), **{full: FULL_LIMITER})
    servicer = SchedulerServicer(handlers_of(every), limits)
    async with serve_servicer(servicer) as target, grpc.aio.insecure_channel(target) as channel:
        for name in METHOD_NAMES:
            call: Any = channel.unary_unary(f"/scheduler.Scheduler/{name}")
            try:
                await call(b"", timeout=5)
            except grpc.aio.AioRpcError as error:
                waiting.append((name, error.code()))

    exhausted = grpc.StatusCode.RESOURCE_EXHAUSTED
    assert waiting == [
        (name, exhausted) for name in METHOD_NAMES if name in METHODS_BY_LIMITER[full]
    ]
    assert every.called == [name for name in METHOD_NAMES if name not in METHODS_BY_LIMITER[full]]


async def test_a_defect_is_reported_without_its_details() -> None:
    async def fail(*_: object) -> task_pb2.Job:
        raise ZeroDivisionError("mongodb://anna:secret@db")

    servicer = SchedulerServicer(handlers_of(SimpleNamespace(GetJob=fail)))
    with capture_logs() as logs:
        async with serve_servicer(servicer) as target, scheduler_stub(target) as stub:
            refusal = await read_error_status(stub.GetJob(task_pb2.GetJobRequest(), timeout=5))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.GetJob(task_pb2.GetJobRequest(), timeout=5)

    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "secret" not in str(caught.value)
    assert [log["event"] for log in logs] == ["call failed"] * 2
