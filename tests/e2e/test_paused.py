"""A process that was paused answers the calls that piled up meanwhile."""

from collections.abc import Awaitable
from pathlib import Path

import grpc

from gcsched.pb import task_pb2
from tests.support.service_process import (
    Stub,
    a_meet,
    environment,
    is_serving,
    running_service,
    scheduler_stub,
)

MORE_THAN_GRPC_QUEUES = 3_500  # gRPC itself would answer CANCELLED to some of them, at random
MAX_READ_AT_ONCE = 32


async def is_rejected_as_late(call: Awaitable[task_pb2.MeetResponse]) -> bool:
    """Return whether *call* was refused because its message came too long after its headers."""
    try:
        assert (await call).success
    except grpc.aio.AioRpcError as error:
        is_late = error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        if not (is_late and "call again" in (error.details() or "")):
            raise
        return True
    return False


async def is_accepted(stub: Stub, number: int) -> bool:
    return (await stub.ScheduleMeet(a_meet(number), timeout=60)).success


async def test_calls_that_piled_up_are_all_accepted(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=9)
    async with running_service(tmp_path, settings) as paused, scheduler_stub(paused.target) as stub:
        await stub.ScheduleMeet(a_meet(1))
        paused.freeze()
        calls = {
            number: stub.ScheduleMeet(a_meet(number), timeout=60)
            for number in range(2, MORE_THAN_GRPC_QUEUES)
        }
        assert not await is_serving(paused.target)  # it answers nothing while they pile up
        paused.thaw()
        late = [number for number, call in calls.items() if await is_rejected_as_late(call)]
        assert len(late) <= MAX_READ_AT_ONCE
        assert all([await is_accepted(stub, number) for number in late])
