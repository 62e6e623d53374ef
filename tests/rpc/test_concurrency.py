"""Callers who read or steer wait for each other, and not for ever; invitations wait for none."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import grpc
import pytest
from structlog.testing import capture_logs

from gcsched.errors import Overloaded, StoreUnavailable
from gcsched.pb import task_pb2
from gcsched.rpc.concurrency import Turns
from gcsched.rpc.servicer import METHODS, SchedulerServicer, turns_of_each
from tests.support.rpc_server import refused, serving
from tests.support.service import scheduler

SOON = timedelta(seconds=10)


class Busy:
    """Answers GetJob once it is let go; ScheduleMeet at once."""

    def __init__(self) -> None:
        self.here = 0
        self.let_go = asyncio.Event()
        self.handlers = SimpleNamespace(GetJob=self.get_job, ScheduleMeet=self.schedule_meet)

    async def get_job(self, request: task_pb2.GetJobRequest, _: object) -> task_pb2.Job:
        self.here += 1
        await self.let_go.wait()
        return task_pb2.Job(job_id=request.job_id)

    async def schedule_meet(self, *_: object) -> task_pb2.MeetResponse:
        return task_pb2.MeetResponse(success=True)


async def test_only_so_many_are_at_work_and_the_rest_has_its_turn() -> None:
    turns, at_work, most = Turns(at_once=2, waiting=10), 0, 0

    async def work() -> None:
        nonlocal at_work, most
        async with turns.one(SOON):
            at_work += 1
            most = max(most, at_work)
            await asyncio.sleep(0)
            at_work -= 1

    await asyncio.gather(*(work() for _ in range(12)))

    assert most == 2


async def test_who_gives_up_leaves_his_place_to_others() -> None:
    turns = Turns(at_once=1, waiting=1)
    async with turns.one(SOON):
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await turns.one(timedelta(milliseconds=1)).__aenter__()
        waiting = asyncio.create_task(turns.one(SOON).__aenter__())
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await turns.one(SOON).__aenter__()
        waiting.cancel()
        await asyncio.wait([waiting])
        with pytest.raises(StoreUnavailable):
            await turns.one(timedelta(milliseconds=1)).__aenter__()


async def test_a_flood_of_reads_is_told_to_come_again_and_invitations_pass_it() -> None:
    busy = Busy()
    servicer = SchedulerServicer(busy.handlers, turns={Turns(at_once=2, waiting=3): ["GetJob"]})
    ask = task_pb2.GetJobRequest(job_id="job-1")
    async with serving(servicer) as target, scheduler(target) as stub:
        calls = [asyncio.ensure_future(stub.GetJob(ask, timeout=20)) for _ in range(6)]

        done, waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        refusal = await refused(done.pop())
        reply = await stub.ScheduleMeet(task_pb2.MeetRequest(), timeout=5)
        at_work = busy.here
        busy.let_go.set()

        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "OVERLOADED",
        )
        assert reply.success
        assert at_work == 2
        assert [(await call).job_id for call in waiting] == ["job-1"] * 5


def test_each_method_waits_for_its_like_or_for_nobody() -> None:
    named = [name for names in turns_of_each().values() for name in names]

    assert len(named) == len(set(named))
    assert set(METHODS) - set(named) == {
        *("ScheduleMeet", "BatchScheduleMeets"),
        *("PauseSending", "ResumeSending"),
        *("GetStatus", "ListTemplates", "PreviewTemplate"),
    }


async def test_a_defect_is_told_without_what_is_inside() -> None:
    async def broken(*_: object) -> task_pb2.Job:
        raise ZeroDivisionError("mongodb://anna:secret@db")

    servicer = SchedulerServicer(SimpleNamespace(GetJob=broken))
    with capture_logs() as logs:
        async with serving(servicer) as target, scheduler(target) as stub:
            refusal = await refused(stub.GetJob(task_pb2.GetJobRequest(), timeout=5))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.GetJob(task_pb2.GetJobRequest(), timeout=5)

    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "secret" not in str(caught.value)
    assert [log["event"] for log in logs] == ["call failed"] * 2
