"""The methods of scheduler.Scheduler: convert, call the use case, convert."""

from datetime import timedelta

import grpc
from google.protobuf.message import Message

from gcsched.errors import RequestTooLarge
from gcsched.pb import task_pb2, task_pb2_grpc
from gcsched.rpc.convert import errors_as_status, request_from
from gcsched.usecases.submit import Submit

LARGEST_REQUEST = 64 * 1024
LONGEST_CALL = timedelta(seconds=10)
FOR_THE_REPLY = timedelta(milliseconds=100)


class SchedulerServicer(task_pb2_grpc.SchedulerServicer):
    def __init__(self, *, submit: Submit) -> None:
        self._submit = submit

    async def ScheduleMeet(  # noqa: N802  # the name in the contract
        self,
        request: task_pb2.MeetRequest,
        context: grpc.aio.ServicerContext[Message, Message],
    ) -> task_pb2.MeetResponse:
        async with errors_as_status(context):
            within = await time_left(context)
            check_size(request)
            admitted = await self._submit(request_from(request), within=within)
        return task_pb2.MeetResponse(success=True, job_id=admitted.job_id)


async def time_left(context: grpc.aio.ServicerContext[Message, Message]) -> timedelta:
    """Give the time to work in; a call whose deadline is over is ended here."""
    remaining = context.time_remaining()
    if remaining is None:
        return LONGEST_CALL
    if remaining <= 0:
        await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline was over on arrival")
    left = timedelta(seconds=remaining)
    return min(max(left - FOR_THE_REPLY, left / 2), LONGEST_CALL)


def check_size(request: Message) -> None:
    if (size := request.ByteSize()) > LARGEST_REQUEST:
        raise RequestTooLarge(size, LARGEST_REQUEST)
